use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use chrono::{DateTime, NaiveDate, SecondsFormat, Timelike, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An instant: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// One second.
    pub const SECOND: u64 = 1_000_000;
    /// One hour.
    pub const HOUR: u64 = 3_600 * Self::SECOND;
    /// One day.
    pub const DAY: u64 = 24 * Self::HOUR;

    /// Milliseconds since the epoch, rounded down.
    pub fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Seconds since the epoch, rounded down.
    pub fn seconds(self) -> u64 {
        self.0 / Self::SECOND
    }

    /// The instant `millis` milliseconds after the epoch.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// This instant moved back by `micros`, not past the epoch.
    pub fn minus(self, micros: u64) -> Self {
        Self(self.0.saturating_sub(micros))
    }

    /// This instant moved on by `micros`.
    pub fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The UTC hour this instant lies in.
    pub fn hour(self) -> Hour {
        Hour(u32::try_from(self.0 / Self::HOUR).unwrap_or(u32::MAX))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-01-17T03:46:06.123Z`.
    pub fn rfc3339(self) -> String {
        self.datetime().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The instant as a calendar time; the far end of chrono's range where it does not fit.
    pub fn datetime(self) -> DateTime<Utc> {
        i64::try_from(self.0).ok().and_then(DateTime::from_timestamp_micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// A text that is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an instant: use microseconds since the epoch, or RFC 3339 such as 2026-01-17T03:46:06Z")]
pub struct BadInstant;

impl FromStr for Micros {
    type Err = BadInstant;

    fn from_str(text: &str) -> Result<Self, BadInstant> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self).map_err(|_| BadInstant);
        }
        DateTime::parse_from_rfc3339(text).map(|at| at.to_utc().into()).map_err(|_| BadInstant)
    }
}

/// As answers write it; a bare number only where it says so.
impl JsonSchema for Micros {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl From<DateTime<Utc>> for Micros {
    /// Instants before the epoch become the epoch: nothing that we read was written then.
    fn from(at: DateTime<Utc>) -> Self {
        Self(u64::try_from(at.timestamp_micros()).unwrap_or(0))
    }
}

/// A UTC hour: hours since the Unix epoch. Written `YYYYMMDDHH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Hour(pub u32);

impl Hour {
    /// The hour's first instant.
    pub fn start(self) -> Micros {
        Micros(u64::from(self.0) * Micros::HOUR)
    }

    /// The first instant after the hour.
    pub fn end(self) -> Micros {
        Micros((u64::from(self.0) + 1) * Micros::HOUR)
    }

    /// The hour that `YYYYMMDDHH` names.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        let date = NaiveDate::parse_from_str(text.get(..8).filter(|_| digits)?, "%Y%m%d").ok()?;
        let at = date.and_hms_opt(text.get(8..)?.parse().ok()?, 0, 0)?;
        Some(Micros::from(at.and_utc()).hour())
    }

    /// The hour after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A text that is no hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an hour: expected YYYYMMDDHH")]
pub struct BadHour;

impl FromStr for Hour {
    type Err = BadHour;

    fn from_str(text: &str) -> Result<Self, BadHour> {
        let (day, hour) = text.split_at_checked(8).filter(|(_, hour)| hour.len() == 2).ok_or(BadHour)?;
        let day = NaiveDate::parse_from_str(day, "%Y%m%d").map_err(|_| BadHour)?;
        let at = hour.parse().ok().and_then(|hour| day.and_hms_opt(hour, 0, 0)).ok_or(BadHour)?;
        Ok(Micros::from(at.and_utc()).hour())
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.start().datetime();
        write!(f, "{}{:02}", at.format("%Y%m%d"), at.hour())
    }
}

/// An instant on the wire: RFC 3339 in UTC, `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use chrono::DateTime;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Micros;

    /// Writes it.
    pub fn serialize<S: Serializer>(at: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.rfc3339())
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Micros, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(|error| {
            let shown: String = text.chars().take(64).collect();
            de::Error::custom(format!("{shown:?} is not RFC 3339, such as 2026-01-17T03:46:06Z: {error}"))
        })?;
        Ok(at.to_utc().into())
    }
}

/// An instant that may be absent, on the wire: RFC 3339 in UTC or null.
pub mod rfc3339_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Micros;

    #[derive(Deserialize)]
    struct Wire(#[serde(with = "super::rfc3339")] Micros);

    /// Writes it.
    pub fn serialize<S: Serializer>(at: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Micros::rfc3339).serialize(serializer)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
        Ok(Option::<Wire>::deserialize(deserializer)?.map(|Wire(at)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_they_are_written() {
        let hour = Hour(491_283);
        assert_eq!(Hour::parse(&hour.to_string()), Some(hour), "{hour}");
        for text in ["", "2026011724", "2026013203", "20260117031", "202601170a", "+026011703", "２026011703"] {
            assert_eq!(Hour::parse(text), None, "{text}");
        }
    }
}
