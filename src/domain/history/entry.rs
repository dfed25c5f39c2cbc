use serde::Deserialize;
use serde_json::Value;

use crate::domain::bus_in::EntryId;
use crate::domain::event::{Level, OWN_SOURCE};
use crate::domain::id::EventId;
use crate::domain::publish::{NAME_BYTES, SHORT_NAME_BYTES};
use crate::domain::source::has_unit_type;
use crate::domain::time::Micros;

/// Nobody logged anything for this trading system before 2001, and no id or time below it means a time.
const EARLIEST_MS: u64 = 1_000_000_000_000;

/// How far ahead of our clock an id or a time may be. Redis' machine may have another clock; an id further ahead would
/// carry the ids of all later events into the future.
const AHEAD_MS: u64 = 300_000;

/// An event as the predecessor wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Historic {
    /// The journal entry's own time.
    pub ts: Micros,
    /// The unit, with its type.
    pub unit: String,
    /// The journal's priority.
    pub level: Option<Level>,
    /// The line, which the predecessor cut to 500 characters.
    pub message: String,
    /// The pair that the predecessor found in the whole line.
    pub symbol: Option<String>,
    /// The correlation id that it found there.
    pub correlation_id: Option<String>,
    /// The machine.
    pub host: Option<String>,
}

/// Why an entry is left where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It carries an `id`: a quantum-clm wrote it.
    #[error("it was written by quantum-clm, not by the predecessor")]
    Ours,
    /// Its id says no time.
    #[error("its id is no time of the past: it was given by hand")]
    NoTime,
    /// Its sequence is beyond 20 bits.
    #[error("the second half of its id is larger than {}, which no event's id can be", (1 << EventId::SEQ_BITS) - 1)]
    TooManyInOne,
    /// It cannot be read.
    #[error("it is no event of the predecessor: {0}")]
    Unreadable(String),
    /// The journal gave the same line.
    #[error("the same line was read from the journal")]
    Stored,
    /// The same entry is there twice.
    #[error("the same line stands in the stream twice")]
    Twice,
    /// Retention would remove it at once.
    #[error("it is older than what is kept")]
    Old,
    /// Events with larger ids are stored already, so it cannot stand before them.
    #[error("its id is not before those of the events that are stored already")]
    NotBefore,
}

impl NotTaken {
    /// The reason in one word, for sums.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::NoTime => "no_time",
            Self::TooManyInOne => "sequence_too_large",
            Self::Unreadable(_) => "unreadable",
            Self::Stored => "stored",
            Self::Twice => "twice",
            Self::Old => "old",
            Self::NotBefore => "not_before",
        }
    }

    /// Whether each such entry is told one by one: what somebody may want to look at. The others are as they should be.
    pub fn is_odd(&self) -> bool {
        !matches!(self, Self::Ours | Self::Stored | Self::Old)
    }
}

/// The event id that an entry's id is.
pub fn id_of(entry: EntryId, now: Micros) -> Result<EventId, NotTaken> {
    if !(EARLIEST_MS..=now.millis() + AHEAD_MS).contains(&entry.ms) {
        return Err(NotTaken::NoTime);
    }
    match u32::try_from(entry.seq) {
        Ok(seq) if seq < 1 << EventId::SEQ_BITS => Ok(EventId::new(entry.ms, seq)),
        _ => Err(NotTaken::TooManyInOne),
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    ts: Value,
    #[serde(default)]
    unit: Value,
    #[serde(default)]
    level: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    symbol: Value,
    #[serde(default)]
    correlation_id: Value,
    #[serde(default)]
    host: Value,
    #[serde(default)]
    source: Value,
}

/// Reads the value of an entry's field `event`; `None` where it has no such field.
pub fn read(value: Option<&[u8]>, now: Micros) -> Result<Historic, NotTaken> {
    let odd = |why: &str| NotTaken::Unreadable(why.to_owned());
    let value = value.ok_or_else(|| odd("it has no field `event`"))?;
    let wire: Wire =
        serde_json::from_slice(value).map_err(|error| odd(&format!("its `event` is no JSON object: {error}")))?;
    if wire.id.is_some() || wire.source.as_str() == Some(OWN_SOURCE) {
        return Err(NotTaken::Ours);
    }
    let ts = number(&wire.ts)
        .filter(|ts| (EARLIEST_MS..=now.millis() + AHEAD_MS).contains(&(ts / 1_000)))
        .ok_or_else(|| odd("its `ts` is no time in microseconds"))?;
    let unit = text(&wire.unit, NAME_BYTES).ok_or_else(|| odd("it names no unit"))?;
    let unit = if has_unit_type(&unit) { unit } else { format!("{unit}.service") };
    let message = wire.message.as_str().ok_or_else(|| odd("it has no message"))?.to_owned();
    Ok(Historic {
        ts: Micros(ts),
        unit,
        level: number(&wire.level).and_then(|level| Level::new(u8::try_from(level).ok()?)),
        message,
        symbol: text(&wire.symbol, SHORT_NAME_BYTES),
        correlation_id: text(&wire.correlation_id, NAME_BYTES),
        host: text(&wire.host, NAME_BYTES),
    })
}

/// A number, written as one or as text: the predecessor's are text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A name of at most `most` bytes.
fn text(value: &Value, most: usize) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_768_621_600_000_000);

    #[test]
    fn what_the_predecessor_wrote() {
        let event = br#"{"ts":"1768621479809316","unit":"quantum-ai-engine","level":"6","message":"[AI] x",
            "symbol":"INJUSDT","correlation_id":null,"source":"ai_engine","host":"prod-1","tags":[],"decision":"HOLD"}"#;
        let read = read(Some(event), NOW).unwrap();
        let expected = Historic {
            ts: Micros(1_768_621_479_809_316),
            unit: "quantum-ai-engine.service".into(),
            level: Some(Level::INFO),
            message: "[AI] x".into(),
            symbol: Some("INJUSDT".into()),
            correlation_id: None,
            host: Some("prod-1".into()),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_none_of_its_events() {
        for (value, word) in [
            (None, "unreadable"),
            (Some("{"), "unreadable"),
            (Some("[]"), "unreadable"),
            (Some(r#"{"ts":"1768621479809316","unit":"u.service"}"#), "unreadable"),
            (Some(r#"{"ts":"1768621479809316","message":"m"}"#), "unreadable"),
            (Some(r#"{"ts":"soon","unit":"u.service","message":"m"}"#), "unreadable"),
            (Some(r#"{"ts":1768621479,"unit":"u.service","message":"m"}"#), "unreadable"),
            (Some(r#"{"ts":"1768629999000000","unit":"u.service","message":"m"}"#), "unreadable"),
            (Some(r#"{"id":"1-1","ts":"1768621479809316","unit":"u.service","message":"m"}"#), "ours"),
        ] {
            assert_eq!(read(value.map(str::as_bytes), NOW).unwrap_err().word(), word, "{value:?}");
        }
    }

    #[test]
    fn ids_that_are_times() {
        let id = |ms, seq| id_of(EntryId { ms, seq }, NOW);
        assert_eq!(id(1_768_621_479_809, 7), Ok(EventId::new(1_768_621_479_809, 7)));
        assert_eq!(id(1_768_621_479_809, (1 << 20) - 1), Ok(EventId::new(1_768_621_479_809, (1 << 20) - 1)));
        assert_eq!(id(1_768_621_479_809, 1 << 20), Err(NotTaken::TooManyInOne));
        assert_eq!(id(1_768_621_479_809, u64::MAX), Err(NotTaken::TooManyInOne));
        for ms in [0, 1, 999_999_999_999, NOW.millis() + 300_001, 1 << 44, u64::MAX] {
            assert_eq!(id(ms, 0), Err(NotTaken::NoTime), "{ms}");
        }
    }
}
