use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::level;
use crate::domain::event::Level;

/// What matters of the JSON object that a line is.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    /// `msg` or `message`, where the object is a log record rather than some data.
    pub(super) message: Option<JsonText<'a>>,
    pub(super) level: Option<Level>,
    correlation_id: Option<JsonText<'a>>,
    /// Whether it carries fields of its own beside the message: a symbol, a side.
    pub(super) structured: bool,
    is_record: bool,
}

impl<'a> Envelope<'a> {
    /// The object that `line` is, if it is one. A remark may follow it: `{…} ← here`.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let object = line.trim_start_matches([' ', '\t']);
        if !object.starts_with("{\"") {
            return None;
        }
        let mut stream = serde_json::Deserializer::from_str(object).into_iter::<Self>();
        let mut envelope = stream.next()?.ok()?;
        let rest = object[stream.byte_offset()..].trim_start();
        if !(rest.is_empty() || ["←", "<-", "#", "//"].iter().any(|remark| rest.starts_with(remark))) {
            return None;
        }
        if !envelope.is_record {
            envelope.message = None;
        }
        Some(envelope)
    }

    /// Its correlation id, in `scratch` if it has escapes.
    pub(super) fn correlation_id(&self, scratch: &'a mut String) -> Option<&'a str> {
        self.correlation_id.map(|id| id.resolve(scratch)).filter(|id| !id.is_empty())
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Message => envelope.message = JsonText::of(map.next_value()?).or(envelope.message),
                Key::Level => {
                    envelope.level = level_of(map.next_value()?).or(envelope.level);
                    envelope.is_record = true;
                }
                Key::CorrelationId => envelope.correlation_id = JsonText::of(map.next_value()?),
                Key::Record => {
                    map.next_value::<IgnoredAny>()?;
                    envelope.is_record = true;
                }
                Key::Fact => {
                    map.next_value::<IgnoredAny>()?;
                    envelope.structured = true;
                }
                Key::Extra => {
                    let extra: &RawValue = map.next_value()?;
                    envelope.structured |= extra.get().contains("\"symbol\"");
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// The keys of a log record, over the JSON formatters that services use.
enum Key {
    Message,
    Level,
    CorrelationId,
    /// A key that only a log record has.
    Record,
    /// A key under which a field of an event may lie.
    Fact,
    Extra,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "msg" | "message" => Key::Message,
            "level" | "levelname" | "severity" | "log_level" => Key::Level,
            "correlation_id" => Key::CorrelationId,
            "ts" | "timestamp" | "asctime" | "time" | "@timestamp" | "service" | "logger" | "name" => Key::Record,
            "symbol" | "pair" => Key::Fact,
            "extra" => Key::Extra,
            _ => Key::Other,
        })
    }
}

fn level_of(value: &RawValue) -> Option<Level> {
    if let Some(name) = JsonText::of(value) {
        return level::named(name.inside.trim());
    }
    // A small number is a syslog priority, a larger one Python's `levelno`.
    match value.get().parse::<u32>().ok()? {
        priority @ 0..=7 => Level::new(u8::try_from(priority).ok()?),
        10..20 => Some(Level::DEBUG),
        20..30 => Some(Level::INFO),
        30..40 => Some(Level::WARNING),
        40..50 => Some(Level::ERROR),
        50 => Some(Level::CRITICAL),
        _ => None,
    }
}

/// A JSON string as it is written, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonText<'a> {
    inside: &'a str,
}

impl<'a> JsonText<'a> {
    fn of(value: &'a RawValue) -> Option<Self> {
        let inside = value.get().strip_prefix('"')?.strip_suffix('"')?;
        Some(Self { inside })
    }

    /// The string: itself where it has no escapes, else unescaped into `scratch`.
    pub(super) fn resolve(self, scratch: &'a mut String) -> &'a str {
        if memchr::memchr(b'\\', self.inside.as_bytes()).is_none() {
            return self.inside;
        }
        scratch.clear();
        unescape(self.inside, scratch);
        scratch
    }
}

/// Appends `inside` without its escapes. Half a surrogate pair, which Python writes at times, becomes U+FFFD.
fn unescape(inside: &str, out: &mut String) {
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(kind) = rest.chars().next() else { return };
        rest = &rest[kind.len_utf8()..];
        match kind {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let unit = code_unit(&mut rest).unwrap_or(0xFFFD);
                let mut after = rest;
                let low = after.strip_prefix("\\u").and_then(|low| {
                    after = low;
                    code_unit(&mut after)
                });
                match (unit, low) {
                    (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                        rest = after;
                        let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    _ => out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)),
                }
            }
            plain => out.push(plain),
        }
    }
    out.push_str(rest);
}

/// Takes four hexadecimal digits off `rest`.
fn code_unit(rest: &mut &str) -> Option<u32> {
    let digits = rest.get(..4)?;
    let unit = u32::from_str_radix(digits, 16).ok()?;
    *rest = &rest[4..];
    Some(unit)
}
