use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::QueryError;
use crate::domain::batch::EventBatch;
use crate::domain::event::{Decision, Level};
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::store::{EventFilter, Store};

/// Blocks that one snapshot opens before it is let go.
const BLOCKS_A_SNAPSHOT: usize = 32;

/// How long one page may look: a search without a hit answers with where it stands, and is asked to go on.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// What to look for, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// This severity or worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The correlation id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// A piece of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl EventQuery {
    /// The most events of a page.
    pub const MAX_LIMIT: usize = 1_000;

    /// The filter that the query describes.
    pub fn filter(&self) -> Result<EventFilter, QueryError> {
        let decision = self.decision.as_deref().map(str::parse::<Decision>).transpose();
        Ok(EventFilter {
            since: self.since.map(Micros),
            until: self.until.map(Micros),
            unit: self.unit.clone(),
            symbol: self.symbol.clone(),
            level: self.level,
            decision: decision.map_err(|error| QueryError::Bad { field: "decision", why: error.to_string() })?,
            correlation_id: self.correlation_id.clone(),
            grep: self.grep.clone(),
        })
    }

    fn before(&self) -> Result<EventId, QueryError> {
        let Some(cursor) = &self.cursor else { return Ok(EventId::MAX) };
        cursor.parse().map_err(|_| QueryError::Bad { field: "cursor", why: "not the `next` of an answer".into() })
    }
}

/// A page of events, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventPage {
    /// The events (SPEC §4.1 plus `id`).
    pub events: Vec<Box<RawValue>>,
    /// Where the next page goes on; null at the end. A page may be short of its limit before that.
    pub next: Option<String>,
}

impl EventPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &EventQuery) -> Result<Self, QueryError> {
        let (filter, mut before) = (query.filter()?, query.before()?);
        let limit = query.limit.unwrap_or(50).clamp(1, EventQuery::MAX_LIMIT);
        let until = Instant::now() + PAGE_TIME;
        let mut page = Self { events: Vec::new(), next: None };
        loop {
            let found = store.search(&filter, before, limit - page.events.len(), BLOCKS_A_SNAPSHOT)?;
            page.events.append(&mut events_json(&found.events));
            page.next = found.next.map(|next| next.to_string());
            match found.next {
                Some(next) if page.events.len() < limit && Instant::now() < until => before = next,
                _ => return Ok(page),
            }
        }
    }
}

/// The wire form of each event, with the whole message.
pub fn events_json(events: &EventBatch) -> Vec<Box<RawValue>> {
    events.iter().filter_map(|event| serde_json::value::to_raw_value(&event.json(usize::MAX)).ok()).collect()
}
