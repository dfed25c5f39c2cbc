use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::query::{filled, instant, limit, written};
use crate::domain::counter::{Counter, CounterKind};
use crate::domain::time::{Hour, Micros};
use crate::store::{CounterFilter, CounterKey, Store};

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CounterAnswer {
    /// `YYYYMMDDHH`, UTC.
    pub hour: String,
    /// `unit`, `symbol` or `errors`.
    pub kind: CounterKind,
    /// The unit or symbol.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// What counters to list, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CounterQuery {
    /// Events of a `unit`, about a `symbol`, or `errors` of a unit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub kind: Option<CounterKind>,
    /// The unit or symbol.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub name: Option<String>,
    /// From the hour of this instant on: RFC 3339, or microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub since: Option<Micros>,
    /// Only hours that begin before this instant, likewise.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub until: Option<Micros>,
    /// How many at most, from 1 to 10000; 1000 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 10000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A page of counters.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CounterList {
    /// By hour, kind and name.
    pub counters: Vec<CounterAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl CounterQuery {
    /// The most counters of a page.
    pub const MAX_LIMIT: usize = 10_000;
}

impl CounterList {
    /// Looks for a page.
    pub fn find(store: &Store, query: &CounterQuery) -> Result<Self, QueryError> {
        let limit = limit(query.limit.or(Some(1_000)), CounterQuery::MAX_LIMIT)?;
        let after = query.cursor.as_deref().map(|cursor| key(cursor).ok_or_else(QueryError::cursor)).transpose()?;
        let filter = CounterFilter {
            kind: query.kind,
            name: query.name.clone(),
            since: query.since.map(Micros::hour),
            // An hour that has begun before `until` is listed.
            until: query.until.map(|until| until.plus(Micros::HOUR - 1).hour()),
            after,
        };
        let counters = store.counters(&filter, limit + 1)?;
        let next = (counters.len() > limit).then(|| counters.get(limit - 1).map(cursor)).flatten();
        Ok(Self { counters: counters.into_iter().take(limit).map(counter).collect(), next })
    }
}

fn cursor(counter: &Counter) -> String {
    format!("{}.{}.{}", counter.hour.0, counter.kind.as_str(), counter.name)
}

fn key(cursor: &str) -> Option<CounterKey> {
    let mut parts = cursor.splitn(3, '.');
    Some((Hour(parts.next()?.parse().ok()?), parts.next()?.parse().ok()?, parts.next()?.to_owned()))
}

fn counter(counter: Counter) -> CounterAnswer {
    CounterAnswer { hour: counter.hour.to_string(), kind: counter.kind, name: counter.name, count: counter.count }
}
