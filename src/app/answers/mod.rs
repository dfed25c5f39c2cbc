//! The answers: what the API sends and the commands print, from the data file alone. One file a resource.

/// Backups and what was attempted.
pub mod backups;
mod counters;
mod dead_letters;
mod events;
mod health;
mod history;
mod hooks;
mod intents;
mod publish;
pub(crate) mod query;
pub mod jobs;
pub mod registry;
mod schedule;
mod status;
mod wire;
mod webhooks;

pub use counters::{CounterAnswer, CounterList, CounterQuery};
pub use dead_letters::{DeadLetterAnswer, DeadLetterDetail, DeadLetterPage, DeadLetterQuery, FieldAnswer};
pub use events::{EventAnswer, EventPage, EventQuery, StreamQuery, events_json};
pub use health::{GapAnswer, HealthAnswer};
pub use history::{HistoryAnswer, OddEntry};
pub use hooks::{HookAnswer, HookPage, HookQuery};
pub use intents::{
    Evidence, HistoryEntry, HourAnswer, IntentAnswer, IntentDetail, IntentPage, IntentQuery, NoteAnswer, open_intents,
};
pub use publish::PublishAnswer;
pub use query::{MAX_LIMIT, QueryError};
pub use schedule::{
    ScheduleEntry, SchedulePage, ScheduleQuery, ScheduleQueryError, ScheduleRules, ScheduleState, TriggerAnswer,
    TriggerPage, TriggerQuery,
};
pub use status::StatusAnswer;
pub use webhooks::{DeliveryAnswer, DeliveryPage, DeliveryQuery, WebhookAnswer, WebhookList};
pub use wire::{Event, NewEvent};
