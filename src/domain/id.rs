use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::time::Micros;

/// An event's place in the feed: 44 bits of milliseconds and 20 bits of sequence in one number.
///
/// Strictly increasing in the order of commitment, whatever the clock does, and at the same time the id of the event's
/// entry in the Redis stream, `<ms>-<seq>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct EventId(pub u64);

impl EventId {
    /// Bits of the sequence.
    pub const SEQ_BITS: u32 = 20;
    /// Before every event.
    pub const ZERO: Self = Self(0);
    /// After every event.
    pub const MAX: Self = Self(u64::MAX);

    /// The id of `ms` and `seq`; `seq` must fit 20 bits.
    pub fn new(ms: u64, seq: u32) -> Self {
        debug_assert!(seq < 1 << Self::SEQ_BITS);
        Self(ms << Self::SEQ_BITS | u64::from(seq))
    }

    /// Milliseconds since the epoch.
    pub fn ms(self) -> u64 {
        self.0 >> Self::SEQ_BITS
    }

    /// The sequence within the millisecond.
    pub fn seq(self) -> u32 {
        (self.0 & ((1 << Self::SEQ_BITS) - 1)) as u32
    }

    /// The smallest id after this one. The sequence carries into the milliseconds by itself.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The first id for events that commit at `now` after `self`: the clock's millisecond when that is later, else the
    /// next in sequence.
    pub fn first_at(self, now: Micros) -> Self {
        Self::new(now.millis() & ((1 << 44) - 1), 0).max(self.next())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms(), self.seq())
    }
}

/// An event id that is not `<ms>-<seq>`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an event id: expected <milliseconds>-<sequence>")]
pub struct BadEventId(String);

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadEventId(text.chars().take(64).collect());
        let (ms, seq) = text.split_once('-').ok_or_else(bad)?;
        let ms: u64 = ms.parse().map_err(|_| bad())?;
        let seq: u32 = seq.parse().map_err(|_| bad())?;
        if ms >= 1 << 44 || seq >= 1 << Self::SEQ_BITS {
            return Err(bad());
        }
        Ok(Self::new(ms, seq))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for EventId {
    fn schema_name() -> Cow<'static, str> {
        "EventId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{1,14}-[0-9]{1,7}$",
            "description": "<milliseconds>-<sequence>; rises from event to event, and is the id of the Redis stream's entry",
        })
    }
}

/// An intent's number, in order of opening.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct IntentId(pub u64);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A session's number. Not its secret: that is in the browser's cookie and nowhere else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An API token's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct TokenId(pub u64);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
