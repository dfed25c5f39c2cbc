use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Event;
use super::QueryError;
use super::query::{MAX_LIMIT, filled, instant, level, limit, written};
use crate::domain::batch::EventBatch;
use crate::domain::event::{Decision, Level};
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::store::{EventFilter, Store, StoreError};

/// Blocks that one snapshot opens before it is let go.
const BLOCKS_A_SNAPSHOT: usize = 32;

/// How long one page may look: a search without a hit answers with where it stands, and is asked to go on.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// Neighbours of one event to each side.
const NEIGHBOURS: usize = 20;

/// What to look for, as a query says it. Everything given must fit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Not before this instant, by the event's time: RFC 3339, or microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub since: Option<Micros>,
    /// Before this instant, likewise.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written", deserialize_with = "filled")]
    #[schemars(schema_with = "instant")]
    pub until: Option<Micros>,
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub unit: Option<String>,
    /// The service behind the unit: `ai_engine`, `strategy`, ….
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub source: Option<String>,
    /// The machine.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub host: Option<String>,
    /// The trading pair.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub symbol: Option<String>,
    /// This severity or worse: a name, or 0 to 7.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(schema_with = "level")]
    pub level: Option<Level>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub decision: Option<Decision>,
    /// The correlation id.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub correlation_id: Option<String>,
    /// A piece of the message or of the free fields, to the letter.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub grep: Option<String>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

impl EventQuery {
    /// The most events of a page.
    pub const MAX_LIMIT: usize = MAX_LIMIT;

    /// The filter that the query describes.
    pub fn filter(&self) -> EventFilter {
        EventFilter {
            since: self.since,
            until: self.until,
            unit: self.unit.clone(),
            source: self.source.clone(),
            host: self.host.clone(),
            symbol: self.symbol.clone(),
            level: self.level,
            decision: self.decision,
            correlation_id: self.correlation_id.clone(),
            grep: self.grep.clone(),
        }
    }

    fn before(&self) -> Result<EventId, QueryError> {
        let Some(cursor) = &self.cursor else { return Ok(EventId::MAX) };
        cursor.parse().map_err(|_| QueryError::cursor())
    }
}

/// Which events to follow, as a query says it. Everything given must fit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamQuery {
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub unit: Option<String>,
    /// The service behind the unit: `ai_engine`, `strategy`, ….
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub source: Option<String>,
    /// The machine.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub host: Option<String>,
    /// The trading pair.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub symbol: Option<String>,
    /// This severity or worse: a name, or 0 to 7.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(schema_with = "level")]
    pub level: Option<Level>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub decision: Option<Decision>,
    /// The correlation id.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub correlation_id: Option<String>,
    /// A piece of the message or of the free fields, to the letter.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub grep: Option<String>,
    /// Begins behind this event; the header `Last-Event-ID` goes before it. Without either: at what is newest.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub last_event_id: Option<EventId>,
}

impl StreamQuery {
    /// The filter that the query describes.
    pub fn filter(&self) -> EventFilter {
        EventFilter {
            unit: self.unit.clone(),
            source: self.source.clone(),
            host: self.host.clone(),
            symbol: self.symbol.clone(),
            level: self.level,
            decision: self.decision,
            correlation_id: self.correlation_id.clone(),
            grep: self.grep.clone(),
            ..EventFilter::default()
        }
    }
}

/// A page of events, newest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events (SPEC §4.1 plus `id`).
    #[schemars(with = "Vec<Event>")]
    pub events: Vec<Box<RawValue>>,
    /// Where the next page goes on; null at the end. A page may be short of its limit before that.
    pub next: Option<String>,
}

impl EventPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &EventQuery) -> Result<Self, QueryError> {
        let (filter, mut before) = (query.filter(), query.before()?);
        let limit = limit(query.limit, MAX_LIMIT)?;
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

/// One event among its neighbours.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventAnswer {
    /// The event itself.
    #[schemars(with = "Event")]
    pub event: Box<RawValue>,
    /// The twenty that were stored before it, whatever their unit; the oldest first.
    #[schemars(with = "Vec<Event>")]
    pub before: Vec<Box<RawValue>>,
    /// The twenty that were stored after it; the oldest first.
    #[schemars(with = "Vec<Event>")]
    pub after: Vec<Box<RawValue>>,
}

impl EventAnswer {
    /// Looks it up; `None` where there is no such event, or not any more.
    pub fn find(store: &Store, id: EventId) -> Result<Option<Self>, StoreError> {
        let found = store.search(&EventFilter::default(), id.next(), NEIGHBOURS + 1, usize::MAX)?;
        if found.events.get(0).is_none_or(|event| event.id != id) {
            return Ok(None);
        }
        let mut before = events_json(&found.events);
        let event = before.remove(0);
        before.reverse();
        let mut after = events_json(&store.events_after(id, NEIGHBOURS)?);
        after.truncate(NEIGHBOURS);
        Ok(Some(Self { event, before, after }))
    }
}

/// The wire form of each event, with the whole message.
pub fn events_json(events: &EventBatch) -> Vec<Box<RawValue>> {
    events.iter().filter_map(|event| serde_json::value::to_raw_value(&event.json(usize::MAX)).ok()).collect()
}
