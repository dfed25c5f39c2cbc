use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::{Hour, Micros};

/// What an hourly counter counts. Events of the appliance itself are not counted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CounterKind {
    /// Events of a unit.
    Unit,
    /// Events about a symbol.
    Symbol,
    /// Events of a unit that carry the tag `error`.
    Errors,
}

impl CounterKind {
    /// All kinds, in their stored order.
    pub const ALL: [Self; 3] = [Self::Unit, Self::Symbol, Self::Errors];

    /// The word in the Redis key (SPEC §4.2) `quantum:clm:<word>:<name>:<hour>`.
    pub fn redis_word(self) -> &'static str {
        match self {
            Self::Unit => "count",
            Self::Symbol => "symbol",
            Self::Errors => "errors",
        }
    }

    /// The word in commands and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Symbol => "symbol",
            Self::Errors => "errors",
        }
    }
}

/// A word that is no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use unit, symbol or errors")]
pub struct BadCounterKind;

impl FromStr for CounterKind {
    type Err = BadCounterKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(BadCounterKind)
    }
}

/// One counter: `count` events of `name` in `hour`, the last of them committed at `changed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The UTC hour by the events' own time.
    pub hour: Hour,
    /// What is counted.
    pub kind: CounterKind,
    /// The unit or the symbol.
    pub name: String,
    /// How many.
    pub count: u64,
    /// When it last grew, by the appliance's clock: its Redis key expires 24 h after.
    pub changed: Micros,
}
