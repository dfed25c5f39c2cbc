//! The answers: what the API sends and the commands print, from the data file alone. One file a resource.

mod counters;
mod events;
mod health;
mod intents;
mod status;

pub use counters::{CounterAnswer, CounterList, CounterQuery};
pub use events::{EventPage, EventQuery, events_json};
pub use health::{GapAnswer, HealthAnswer};
pub use intents::{IntentAnswer, IntentPage, IntentQuery, NoteAnswer, open_intents};
pub use status::StatusAnswer;

use crate::store::StoreError;

/// A query that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A value.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}
