use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::bus_in::{DeadLetter, EntryId, Fields, Topic};
use crate::store::StoreError;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which entry of its stream it is.
    pub entry: EntryId,
    /// What it says.
    pub fields: Fields,
}

/// What became of a message. All but the failed ones are acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What follows from it is committed, now or when it first came.
    Taken,
    /// It failed, and is tried again.
    Failed {
        /// For the how manieth time.
        tries: u32,
    },
    /// It was given up.
    Dead {
        /// The letter. Boxed, because most messages are none.
        letter: Box<DeadLetter>,
        /// Whether it was given up before, so that it may stand among the dead letters of its type already.
        again: bool,
    },
}

/// Who takes messages in.
pub trait Inlet: Send + Sync {
    /// Takes messages of one type in, in their order; what became of each. Everything is committed when it returns, and
    /// nothing where it fails: then they come again. Blocks.
    fn take(&self, topic: Topic, arrivals: &[Arrival]) -> Result<Vec<Fate>, StoreError>;
}

/// How the consumer groups stand, for metrics.
#[derive(Debug, Default)]
pub struct Standing(Mutex<BTreeMap<Topic, (u64, u64)>>);

impl Standing {
    /// For each type: messages that are handed out and not acknowledged, and those that nobody was handed yet. Redis
    /// before version 7 does not tell the latter, which are none then.
    pub fn all(&self) -> BTreeMap<Topic, (u64, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, topic: Topic, pending: u64, lag: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, (pending, lag));
    }
}
