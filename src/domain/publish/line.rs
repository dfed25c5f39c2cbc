use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{AHEAD_MICROS, Terms, free, value};
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level, OWN_SOURCE, OWN_UNIT};
use crate::domain::id::EventId;
use crate::domain::normalise::Scratch;
use crate::domain::source::source_of;

/// The longest unit, host and correlation id, in bytes.
pub const NAME_BYTES: usize = 255;

/// The longest symbol and source, in bytes.
pub const SHORT_NAME_BYTES: usize = 64;

/// What a line may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// When it happened.
    Ts,
    /// Who says it.
    Unit,
    /// How bad.
    Level,
    /// The text.
    Message,
    /// The trading pair.
    Symbol,
    /// What ties it to other events.
    CorrelationId,
    /// The service behind the unit.
    Source,
    /// The machine.
    Host,
    /// Derived from the level; taken and passed over, so that an event can be sent on as it was received.
    Tags,
    /// BUY, SELL or HOLD.
    Decision,
    /// How sure.
    Confidence,
    /// Everything else.
    Fields,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Ts,
        Self::Unit,
        Self::Level,
        Self::Message,
        Self::Symbol,
        Self::CorrelationId,
        Self::Source,
        Self::Host,
        Self::Tags,
        Self::Decision,
        Self::Confidence,
        Self::Fields,
    ];

    /// Its key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::Unit => "unit",
            Self::Level => "level",
            Self::Message => "message",
            Self::Symbol => "symbol",
            Self::CorrelationId => "correlation_id",
            Self::Source => "source",
            Self::Host => "host",
            Self::Tags => "tags",
            Self::Decision => "decision",
            Self::Confidence => "confidence",
            Self::Fields => "fields",
        }
    }
}

/// Why a line is no event.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    pub(super) why: String,
}

impl Fault {
    fn whole(why: impl Into<String>) -> Self {
        Self { field: None, why: why.into() }
    }

    fn of(field: Field, why: impl Into<String>) -> Self {
        Self { field: Some(field.name().to_owned()), why: why.into() }
    }
}

/// What serde_json says, without its own line number where the line is known already.
pub(super) fn json_error(error: &serde_json::Error, with_place: bool) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    if with_place { format!("not a JSON object: {what} at column {}", error.column()) } else { what.to_owned() }
}

/// Reads one object and appends its event.
pub(super) fn read(
    line: &[u8],
    terms: &Terms<'_>,
    scratch: &mut Scratch,
    events: &mut EventBatch,
) -> Result<(), Fault> {
    let line = std::str::from_utf8(line)
        .map_err(|error| Fault::whole(format!("not UTF-8 from byte {} on", error.valid_up_to() + 1)))?;
    let said: Said<'_> = serde_json::from_str(line).map_err(|error| Fault::whole(json_error(&error, true)))?;
    if let Some(unknown) = said.unknown {
        let known = Field::ALL.map(Field::name).join(", ");
        let why = format!("unknown: put what is not one of {known} into `fields`");
        return Err(Fault { field: Some(unknown), why });
    }
    if let Some(twice) = said.twice {
        return Err(Fault::of(twice, "given twice"));
    }

    let unit = said.required(Field::Unit, |raw| value::name(raw, NAME_BYTES))?;
    let message = said.required(Field::Message, value::text)?;
    let newest = terms.now.plus(AHEAD_MICROS);
    let ts = said.optional(Field::Ts, |raw| value::instant(raw, terms.oldest, newest))?.unwrap_or(terms.now);
    let level = said.optional(Field::Level, value::level)?;
    let symbol = said.optional(Field::Symbol, |raw| value::name(raw, SHORT_NAME_BYTES))?;
    let correlation_id = said.optional(Field::CorrelationId, |raw| value::name(raw, NAME_BYTES))?;
    let source = said.optional(Field::Source, |raw| value::name(raw, SHORT_NAME_BYTES))?;
    let host = said.optional(Field::Host, |raw| value::name(raw, NAME_BYTES))?;
    let decision = said.optional(Field::Decision, value::decision)?;
    let confidence = said.optional(Field::Confidence, value::confidence)?;
    let fields = said.optional(Field::Fields, free::fields)?.flatten();
    said.optional(Field::Tags, |raw| {
        raw.get().starts_with('[').then_some(()).ok_or_else(|| "must be a list".to_owned())
    })?;

    let source = source.unwrap_or_else(|| Cow::Borrowed(source_of(&unit, terms.sources)));
    // By these the appliance's own events are known; gaps are paired by them with what was lost.
    if source == OWN_SOURCE {
        return Err(Fault::of(Field::Source, format!("{OWN_SOURCE} is the appliance itself")));
    }
    if unit == OWN_UNIT {
        return Err(Fault::of(Field::Unit, format!("{OWN_UNIT} is the appliance itself")));
    }
    let found = terms.normaliser.normalise(&message, scratch);
    let decided = decision.or(found.decision);
    events.push(EventRef {
        id: EventId::ZERO,
        ts,
        unit: &unit,
        source: &source,
        host: host.as_deref().unwrap_or(terms.host),
        level: level.or(found.level).unwrap_or(Level::INFO),
        message: found.message,
        symbol: symbol.as_deref().or(found.symbol),
        correlation_id: correlation_id.as_deref().or(found.correlation_id),
        decision: decided,
        // The text's confidence is that of the text's decision.
        confidence: confidence.or(found.confidence.filter(|_| decided == found.decision)),
        fields: fields.as_deref(),
    });
    Ok(())
}

/// The values of one object, not read yet.
#[derive(Default)]
struct Said<'a> {
    values: [Option<&'a RawValue>; Field::ALL.len()],
    unknown: Option<String>,
    twice: Option<Field>,
}

impl<'a> Said<'a> {
    fn optional<T>(
        &self,
        field: Field,
        read: impl FnOnce(&'a RawValue) -> Result<T, String>,
    ) -> Result<Option<T>, Fault> {
        // Null is how the wire format itself writes "none".
        let given = self.values[field as usize].filter(|raw| raw.get() != "null");
        given.map(read).transpose().map_err(|why| Fault::of(field, why))
    }

    fn required<T>(&self, field: Field, read: impl FnOnce(&'a RawValue) -> Result<T, String>) -> Result<T, Fault> {
        self.optional(field, read)?.ok_or_else(|| Fault::of(field, "missing"))
    }
}

impl<'de> Deserialize<'de> for Said<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut said = Said::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Known(field) => {
                    let raw = map.next_value()?;
                    if said.values[field as usize].replace(raw).is_some() {
                        said.twice = Some(field);
                    }
                }
                Key::Unknown(name) => {
                    map.next_value::<IgnoredAny>()?;
                    said.unknown.get_or_insert(name);
                }
            }
        }
        Ok(said)
    }
}

enum Key {
    Known(Field),
    Unknown(String),
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
        let known = Field::ALL.into_iter().find(|field| field.name() == key);
        Ok(known.map_or_else(|| Key::Unknown(key.chars().take(64).collect()), Key::Known))
    }
}
