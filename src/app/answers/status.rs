use schemars::JsonSchema;
use serde::Serialize;

use super::open_intents;
use crate::domain::counter::CounterKind;
use crate::domain::id::EventId;
use crate::domain::time::{Hour, Micros, rfc3339, rfc3339_option};
use crate::store::{CounterFilter, FeedState, Store, StoreError};

/// What the daemon is doing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusAnswer {
    /// The program's version.
    pub version: String,
    /// When the daemon started; null when only the file was asked.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub started: Option<Micros>,
    /// The data file.
    pub data_file: String,
    /// Its size.
    pub data_file_bytes: u64,
    /// Events ever stored.
    pub events: u64,
    /// Events kept.
    pub events_kept: u64,
    /// The newest event.
    pub last_event_id: EventId,
    /// When it was committed.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub last_event_at: Micros,
    /// The journal's cursor.
    pub journal_cursor: Option<String>,
    /// The time of the entry that it points at.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub journal_at: Option<Micros>,
    /// The newest tick: rules know everything up to here.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub tick: Option<Micros>,
    /// Stored events that Redis does not have yet; null when there is no mirror.
    pub mirror_lag_events: Option<u64>,
    /// Intents that are not resolved.
    pub intents_open: usize,
    /// Gaps on record.
    pub gaps: u64,
    /// Events an hour for the present and the last hour, over all units.
    pub events_this_hour: u64,
    /// As above, the hour before.
    pub events_last_hour: u64,
}

impl StatusAnswer {
    /// Looks everything up.
    pub fn find(store: &Store, started: Option<Micros>, lag: Option<u64>, now: Micros) -> Result<Self, StoreError> {
        let FeedState { last, events, kept, position, tick, .. } = store.feed();
        let hour = |hour: Hour| -> Result<u64, StoreError> {
            let filter = CounterFilter {
                kind: Some(CounterKind::Unit),
                since: Some(hour),
                until: Some(hour.next()),
                ..CounterFilter::default()
            };
            Ok(store.counters(&filter, usize::MAX)?.iter().map(|counter| counter.count).sum())
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            data_file: store.path().display().to_string(),
            data_file_bytes: std::fs::metadata(store.path()).map_or(0, |metadata| metadata.len()),
            events,
            events_kept: kept,
            last_event_id: last,
            last_event_at: Micros::from_millis(last.ms()),
            journal_at: position.as_ref().map(|position| position.ts),
            journal_cursor: position.map(|position| position.cursor),
            tick,
            mirror_lag_events: lag,
            intents_open: open_intents(store)?,
            gaps: store.gap_count()?,
            events_this_hour: hour(now.hour())?,
            events_last_hour: hour(Hour(now.hour().0.saturating_sub(1)))?,
        })
    }
}
