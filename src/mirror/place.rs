//! Where the mirror stands in a stream, found by looking at the stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::stream::{Entry, EntryId};
use crate::domain::history::Places;
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

/// Where to begin behind a predecessor that came so far with each unit: the event up to which Redis has every one, and
/// of units of which it has more than that, the last one it has.
pub(super) fn after_predecessor(
    store: &Store,
    window: u64,
    mut places: Places,
) -> Result<(EventId, BTreeMap<String, EventId>), StoreError> {
    let (followed, until) = (places.clone(), places.latest());
    let mut from = store.window_start(window)?;
    let (mut after, mut whole, mut held) = (from, true, BTreeMap::new());
    loop {
        let events = store.events_after(after, 1)?;
        let Some(last) = events.len().checked_sub(1).and_then(|at| events.get(at)) else { return Ok((from, held)) };
        after = last.id;
        for event in events.iter() {
            let has = if followed.has(event.unit) {
                places.pass_over(event.unit, event.ts)
            } else {
                // A unit that the predecessor did not follow, or that was silent: what is older than its end is left out.
                until.is_some_and(|until| event.ts <= until)
            };
            match (has, whole) {
                (true, true) => from = event.id,
                (true, false) => drop(held.insert(event.unit.to_owned(), event.id)),
                (false, _) => whole = false,
            }
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
    /// The last event of a unit that the predecessor had sent, where that is behind `from`.
    #[serde(default)]
    pub(super) held: BTreeMap<String, EventId>,
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
