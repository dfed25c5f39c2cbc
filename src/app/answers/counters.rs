use serde::{Deserialize, Serialize};

use super::QueryError;
use crate::domain::counter::{Counter, CounterKind};
use crate::domain::time::Micros;
use crate::store::{CounterFilter, Store};

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterAnswer {
    /// `YYYYMMDDHH`, UTC.
    pub hour: String,
    /// `unit`, `symbol` or `errors`.
    pub kind: String,
    /// The unit or symbol.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// What counters to list, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CounterQuery {
    /// `unit`, `symbol` or `errors`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The unit or symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// A list of counters.
#[derive(Debug, Serialize, Deserialize)]
pub struct CounterList {
    /// By hour, kind and name.
    pub counters: Vec<CounterAnswer>,
    /// Null: the list is whole.
    pub next: Option<String>,
}

impl CounterList {
    /// The most counters of an answer: 90 days of a few dozen names.
    const MAX: usize = 500_000;

    /// Lists them.
    pub fn find(store: &Store, query: &CounterQuery) -> Result<Self, QueryError> {
        let kind = match query.kind.as_deref() {
            None => None,
            Some(word) => match CounterKind::ALL.into_iter().find(|kind| kind.as_str() == word) {
                None => return Err(QueryError::Bad { field: "kind", why: "use unit, symbol or errors".into() }),
                kind => kind,
            },
        };
        let filter = CounterFilter {
            kind,
            name: query.name.clone(),
            since: query.since.map(|since| Micros(since).hour()),
            // An hour that has begun before `until` is listed.
            until: query.until.map(|until| Micros(until.saturating_add(Micros::HOUR - 1)).hour()),
        };
        let counters = store.counters(&filter, Self::MAX)?;
        Ok(Self { counters: counters.into_iter().map(counter).collect(), next: None })
    }
}

fn counter(counter: Counter) -> CounterAnswer {
    CounterAnswer {
        hour: counter.hour.to_string(),
        kind: counter.kind.as_str().to_owned(),
        name: counter.name,
        count: counter.count,
    }
}
