use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EntryId, Fields, Topic};
use crate::domain::time::Micros;

/// A message that came to nothing, kept for people.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeadLetter {
    /// Its number, in the order of giving up.
    pub number: u64,
    /// Its type.
    pub topic: Topic,
    /// Which entry of its stream it was.
    pub entry: EntryId,
    /// When it was given up.
    pub at: Micros,
    /// How often it was tried, by hand too.
    pub tries: u32,
    /// What was wrong the last time.
    pub error: String,
    /// What it says.
    pub fields: Fields,
    /// Whether it was too large to be kept as a whole.
    pub cut: bool,
    /// What became of it.
    pub state: LetterState,
}

/// What became of a dead letter. The stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LetterState {
    /// Somebody should look at it.
    Waiting,
    /// It was processed once more, and taken.
    Replayed {
        /// By whom.
        by: String,
        /// When.
        at: Micros,
        /// What followed, in words.
        outcome: String,
    },
    /// Nobody wants it.
    Discarded {
        /// Who says so.
        by: String,
        /// When.
        at: Micros,
        /// Why.
        why: String,
    },
}

impl LetterState {
    /// As answers and queries write it.
    pub fn name(&self) -> LetterStateName {
        match self {
            Self::Waiting => LetterStateName::Waiting,
            Self::Replayed { .. } => LetterStateName::Replayed,
            Self::Discarded { .. } => LetterStateName::Discarded,
        }
    }
}

/// A [`LetterState`] in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LetterStateName {
    /// Somebody should look at it.
    Waiting,
    /// It was processed once more, and taken.
    Replayed,
    /// Nobody wants it.
    Discarded,
}

/// A word that is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use waiting, replayed or discarded")]
pub struct BadLetterState;

impl LetterStateName {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

impl FromStr for LetterStateName {
    type Err = BadLetterState;

    fn from_str(text: &str) -> Result<Self, BadLetterState> {
        let all = [Self::Waiting, Self::Replayed, Self::Discarded];
        all.into_iter().find(|state| state.as_str() == text).ok_or(BadLetterState)
    }
}
