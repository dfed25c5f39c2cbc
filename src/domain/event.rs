use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::id::EventId;
use super::time::Micros;

/// The source of events that the appliance writes about itself, gaps above all: mirrored, never counted.
pub const OWN_SOURCE: &str = "quantum_clm";

/// The unit of those events: the daemon's own.
pub const OWN_UNIT: &str = "quantum-clm.service";

/// How much of a message the store keeps, in bytes.
pub const MESSAGE_STORED_BYTES: usize = 8 * 1024;

/// How much of a message the Redis stream carries, in characters (SPEC §4.1).
pub const MESSAGE_MIRRORED_CHARS: usize = 500;

/// A syslog priority, 0 (emergency) to 7 (debug).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Level(u8);

impl Level {
    /// Critical conditions.
    pub const CRITICAL: Self = Self(2);
    /// Error conditions.
    pub const ERROR: Self = Self(3);
    /// Warning conditions.
    pub const WARNING: Self = Self(4);
    /// Normal but significant.
    pub const NOTICE: Self = Self(5);
    /// Informational; what the journal gives everything that a service prints.
    pub const INFO: Self = Self(6);
    /// Debugging.
    pub const DEBUG: Self = Self(7);

    /// The level of a syslog priority, if it is one.
    pub fn new(priority: u8) -> Option<Self> {
        (priority <= 7).then_some(Self(priority))
    }

    /// The syslog priority.
    pub fn priority(self) -> u8 {
        self.0
    }

    /// The level's name as people know it.
    pub fn name(self) -> &'static str {
        ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"][usize::from(self.0 & 7)]
    }

    /// A warning or worse.
    pub fn is_error(self) -> bool {
        self <= Self::WARNING
    }
}

impl JsonSchema for Level {
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = (0..=7).filter_map(Self::new).map(Self::name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl JsonSchema for Decision {
    fn schema_name() -> Cow<'static, str> {
        "Decision".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["BUY", "SELL", "HOLD"] })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A level that is neither a name nor a digit from 0 to 7.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a level: use emergency, alert, critical, error, warning, notice, info, debug, or 0 to 7")]
pub struct BadLevel(String);

impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(match text.to_ascii_lowercase().as_str() {
            "0" | "emergency" | "emerg" => 0,
            "1" | "alert" => 1,
            "2" | "critical" | "crit" => 2,
            "3" | "error" | "err" => 3,
            "4" | "warning" | "warn" => 4,
            "5" | "notice" => 5,
            "6" | "info" => 6,
            "7" | "debug" => 7,
            _ => return Err(BadLevel(text.chars().take(64).collect())),
        }))
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Level {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a model, strategy or order decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Decision {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
    /// Do nothing.
    Hold,
}

impl Decision {
    /// As the wire writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
            Self::Hold => "HOLD",
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A decision that is not one of the three.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a decision: use BUY, SELL or HOLD")]
pub struct BadDecision(String);

impl FromStr for Decision {
    type Err = BadDecision;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_uppercase().as_str() {
            "BUY" => Self::Buy,
            "SELL" => Self::Sell,
            "HOLD" => Self::Hold,
            _ => return Err(BadDecision(text.chars().take(64).collect())),
        })
    }
}

/// One event of the Unified Training Feed, borrowed from wherever it lies (a block, a batch, a line just read).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventRef<'a> {
    /// Its place in the feed; [`EventId::ZERO`] until it is committed.
    pub id: EventId,
    /// When it happened, by the journal's clock.
    pub ts: Micros,
    /// The systemd unit that wrote it.
    pub unit: &'a str,
    /// The trading service behind the unit: `ai_engine`, `strategy`, …, `unknown`.
    pub source: &'a str,
    /// The machine.
    pub host: &'a str,
    /// Severity: of the text where it names one, else the journal's priority.
    pub level: Level,
    /// The text, at most [`MESSAGE_STORED_BYTES`].
    pub message: &'a str,
    /// The trading pair the line is about, as written.
    pub symbol: Option<&'a str>,
    /// What ties the lines of one decision together across services.
    pub correlation_id: Option<&'a str>,
    /// The decision it states.
    pub decision: Option<Decision>,
    /// The confidence of that decision, 0 to 1.
    pub confidence: Option<f64>,
    /// Further fields of a natively published event, as the text of one JSON object.
    pub fields: Option<&'a str>,
}

impl<'a> EventRef<'a> {
    /// Whether the appliance wrote it about itself; such events are not counted and no rule sees them.
    pub fn is_own(&self) -> bool {
        self.source == OWN_SOURCE
    }

    /// Whether it carries the tag `error`: a warning or worse.
    pub fn is_error(&self) -> bool {
        self.level.is_error()
    }

    /// The tags programs expect: `error` for a warning or worse, and `warning` besides when it is only that.
    pub fn tags(&self) -> &'static [&'static str] {
        if self.level == Level::WARNING {
            &["error", "warning"]
        } else if self.level.is_error() {
            &["error"]
        } else {
            &[]
        }
    }

    /// The JSON object of SPEC §4.1 with the message cut to `max_chars` characters.
    pub fn json(&self, max_chars: usize) -> EventJson<'a> {
        EventJson { event: *self, max_chars }
    }
}

/// The wire form of an event (SPEC §4.1 plus `id`, plus the free `fields` of a native one).
pub struct EventJson<'a> {
    event: EventRef<'a>,
    max_chars: usize,
}

impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = &self.event;
        let mut digits = [0; 20];
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("ts", decimal(event.ts.0, &mut digits))?;
        map.serialize_entry("unit", event.unit)?;
        map.serialize_entry("level", ["0", "1", "2", "3", "4", "5", "6", "7"][usize::from(event.level.0 & 7)])?;
        map.serialize_entry("message", first_chars(event.message, self.max_chars))?;
        map.serialize_entry("symbol", &event.symbol)?;
        map.serialize_entry("correlation_id", &event.correlation_id)?;
        map.serialize_entry("source", event.source)?;
        map.serialize_entry("host", event.host)?;
        map.serialize_entry("tags", event.tags())?;
        if let Some(decision) = event.decision {
            map.serialize_entry("decision", decision.as_str())?;
        }
        if let Some(confidence) = event.confidence {
            map.serialize_entry("confidence", &confidence)?;
        }
        if let Some(fields) = event.fields {
            let fields: &RawValue = serde_json::from_str(fields).map_err(serde::ser::Error::custom)?;
            map.serialize_entry("fields", fields)?;
        }
        map.end()
    }
}

/// The first `max` characters of `text`, without counting when even its bytes are fewer.
pub fn first_chars(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// The longest prefix of `text` of at most `max` bytes that ends between characters.
pub fn first_bytes(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[start..]).unwrap_or_default()
}
