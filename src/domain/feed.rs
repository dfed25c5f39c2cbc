use std::fmt;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::EventBatch;
use super::history::Places;
use super::id::EventId;
use super::time::{Micros, rfc3339, rfc3339_option};

/// What the journal source hands to the pipeline in one go. It commits as a whole, together with its position.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The events, in the journal's order; a gap stands among them as an event of its own.
    pub events: EventBatch,
    /// Where the journal stands after them; `None` when nothing was read (a gap noticed, a tick of time).
    pub position: Option<Position>,
    /// Stretches that were lost, for the gap log.
    pub gaps: Vec<Gap>,
    /// What is still to be passed over behind the position, where that has changed.
    pub places: Option<Places>,
    /// How far time has come in this source.
    pub progress: Progress,
}

/// The ids of what was published in one go: they follow each other without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedIds {
    /// The first event's.
    pub first: EventId,
    /// How many events.
    pub count: u32,
}

impl PublishedIds {
    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = EventId> {
        std::iter::successors(Some(self.first), |id| Some(id.next())).take(self.count as usize)
    }
}

/// The last journal entry that was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// journald's cursor.
    pub cursor: String,
    /// The entry's own time.
    pub ts: Micros,
}

/// How far time has come in a source. Ticks follow it, so that a rule never takes "not read yet" for "did not happen".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing can be said: the source is broken, or just starting.
    #[default]
    Unknown,
    /// Catching up: everything written before this instant was delivered.
    Until(Micros),
    /// Everything written before this instant was delivered, and nothing more is there. The source's own clock at the
    /// moment at which it knew so: whoever takes the delivery later must not read more into it.
    CaughtUp(Micros),
}

/// A stretch of the journal that was lost before it could be read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Why.
    pub cause: GapCause,
    /// The last instant known to be read, if any; RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub since: Option<Micros>,
    /// The first instant read again, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub until: Micros,
    /// The unit concerned; all where absent.
    pub unit: Option<String>,
    /// How many messages, where that is known.
    pub lost: Option<u64>,
}

/// Why lines were lost, or may have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The entry we stood at is gone: rotated and vacuumed away.
    Vacuumed,
    /// The stored cursor is ahead of the journal, or unknown to it (a power cut, a journal replaced).
    CursorUnknown,
    /// journald dropped messages in a flood: its rate limit.
    Suppressed,
    /// The reader printed what is no export format, and some of it had to be passed over.
    Garbled,
}

impl Gap {
    /// The message of the gap's event: `[quantum-clm] gap: …`.
    pub fn message(&self) -> String {
        format!("[quantum-clm] gap: {self}")
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cause, self.lost) {
            (GapCause::Suppressed, Some(lost)) => write!(f, "journald dropped {lost} messages (its rate limit)")?,
            (GapCause::Suppressed, None) => write!(f, "journald dropped messages (its rate limit)")?,
            (GapCause::Vacuumed, _) => write!(f, "journal entries were vacuumed before they were read")?,
            (GapCause::CursorUnknown, _) => write!(f, "the journal does not know the stored cursor")?,
            (GapCause::Garbled, _) => write!(f, "journalctl printed what could not be read")?,
        }
        if let Some(unit) = &self.unit {
            write!(f, ", unit {unit}")?;
        }
        match self.since {
            Some(since) => write!(f, ", between {} and {}", since.rfc3339(), self.until.rfc3339()),
            None => write!(f, ", before {}", self.until.rfc3339()),
        }
    }
}
