//! Where the mirror stands in a stream, found by looking at the stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::stream::{Entry, EntryId};
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::store::{FollowerPosition, Store, StoreError};

/// What tells of an entry whether it is ours, and of which event.
#[derive(Debug, Deserialize)]
pub(super) struct Wire {
    /// Only our entries carry it.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    unit: String,
}

/// An entry that carries the id of an event.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) entry: EntryId,
    pub(super) event: EventId,
    ts: String,
    unit: String,
}

impl Own {
    /// Reads an entry; `None` where it is somebody else's.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(entry.field("event")?).ok()?;
        Some(Self { entry: entry.id, event: wire.id?.parse().ok()?, ts: wire.ts, unit: wire.unit })
    }
}

/// The time of the event in an entry, whoever wrote it.
pub(super) fn event_time(entry: &Entry) -> Option<Micros> {
    let wire: Wire = serde_json::from_slice(entry.field("event")?).ok()?;
    wire.ts.parse().ok().map(Micros)
}

/// Which of `own`, newest first, are the store's events. An id alone does not say so: after the restore of an older data
/// file it may be given a second time.
pub(super) fn known(store: &Store, own: &[Own]) -> Result<Vec<bool>, StoreError> {
    let (Some(newest), Some(oldest)) = (own.iter().map(|own| own.event).max(), own.iter().map(|own| own.event).min())
    else {
        return Ok(Vec::new());
    };
    let feed = store.feed();
    let first_kept = store.events_after(EventId::ZERO, 1)?.get(0).map(|event| event.id);
    let wanted: HashSet<EventId> = own.iter().map(|own| own.event).collect();
    let mut stored: HashMap<EventId, (String, String)> = HashMap::with_capacity(own.len());
    let mut after = EventId(oldest.0.saturating_sub(1));
    while after < newest {
        let events = store.events_after(after, 1)?;
        let Some(last) = events.len().checked_sub(1).and_then(|at| events.get(at)) else { break };
        after = last.id;
        for event in events.iter().filter(|event| wanted.contains(&event.id)) {
            stored.insert(event.id, (event.ts.0.to_string(), event.unit.to_owned()));
        }
    }
    Ok(own
        .iter()
        .map(|own| match stored.get(&own.event) {
            Some((ts, unit)) => *ts == own.ts && *unit == own.unit,
            // What retention took away was the store's once.
            None => {
                feed.events > feed.kept && own.event <= feed.last && first_kept.is_none_or(|first| own.event < first)
            }
        })
        .collect())
}

/// Where to begin behind a predecessor whose last event happened at `until`: after the last event up to then.
pub(super) fn after_predecessor(store: &Store, window: u64, until: Micros) -> Result<EventId, StoreError> {
    let mut found = store.window_start(window)?;
    let mut after = found;
    loop {
        let events = store.events_after(after, 1)?;
        let Some(last) = events.len().checked_sub(1).and_then(|at| events.get(at)) else { return Ok(found) };
        after = last.id;
        if let Some(event) = events.iter().rev().find(|event| event.ts <= until) {
            found = event.id;
        }
    }
}

/// What is remembered of a takeover, as the note of the follower's position.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(super) struct Taken {
    /// Address and database of the Redis.
    #[serde(default)]
    pub(super) server: String,
    /// The stream that the mirror took over.
    pub(super) stream: String,
    /// The event after which it began.
    pub(super) from: EventId,
}

impl Taken {
    /// What the position remembers of a takeover of `stream` on `server`.
    pub(super) fn of(position: &FollowerPosition, server: &str, stream: &str) -> Option<Self> {
        let taken: Self = serde_json::from_str(&position.note).ok()?;
        (taken.stream == stream && taken.server == server).then_some(taken)
    }
}

/// The feed's events up to and with `after`, counted from the first ever; for the lag.
pub(super) fn ordinal(store: &Arc<Store>, after: EventId) -> Result<u64, StoreError> {
    let (events, behind) = store.events_behind(after)?;
    Ok(events.saturating_sub(behind))
}
