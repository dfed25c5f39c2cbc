use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use chrono::NaiveDateTime;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::time::Micros;

/// How the second of a backup is written: no colons, which some file systems and shells dislike.
const FORMAT: &str = "%Y-%m-%dT%H%M%SZ";

/// The name of a backup, which is also its directory's: the UTC second of its snapshot, `2026-11-21T031500Z`. Another of
/// the same second has a number behind it, `2026-11-21T031500Z-2`. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct BackupId {
    second: u64,
    /// From 1 on; 1 is not written.
    repeat: u32,
}

/// The last second that four digits of a year can name.
const LAST_SECOND: u64 = 253_402_300_799;

impl BackupId {
    /// The first backup of the second that `at` lies in.
    pub fn at(at: Micros) -> Self {
        Self { second: at.seconds().min(LAST_SECOND), repeat: 1 }
    }

    /// The next one of the same second.
    pub fn repeated(self) -> Self {
        Self { repeat: self.repeat.saturating_add(1), ..self }
    }

    /// Whether it was taken when the clock was wrong: it says nothing of how old anything is. Clocks that are set right by
    /// a little are everywhere.
    pub fn is_from_the_future(self, now: Micros) -> bool {
        self.taken_at() > now.plus(Micros::HOUR)
    }

    /// The second of the snapshot.
    pub fn taken_at(self) -> Micros {
        Micros(self.second * Micros::SECOND)
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.taken_at().datetime().format(FORMAT))?;
        match self.repeat {
            1 => Ok(()),
            repeat => write!(f, "-{repeat}"),
        }
    }
}

/// A text that is no backup's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a backup's id: they look like 2026-11-21T031500Z")]
pub struct BadBackupId;

impl FromStr for BackupId {
    type Err = BadBackupId;

    fn from_str(text: &str) -> Result<Self, BadBackupId> {
        let (second, repeat) = match text.split_once("Z-") {
            Some((_, repeat)) => (text.get(..text.len() - repeat.len() - 1), repeat.parse().map_err(|_| BadBackupId)?),
            None => (Some(text), 1),
        };
        let at = NaiveDateTime::parse_from_str(second.ok_or(BadBackupId)?, FORMAT).map_err(|_| BadBackupId)?;
        let second = u64::try_from(at.and_utc().timestamp()).map_err(|_| BadBackupId)?;
        let id = Self { second, repeat };
        // One name for each: whatever else chrono or a leading zero would let pass is not one that we gave.
        if id.repeat > 0 && id.to_string() == text { Ok(id) } else { Err(BadBackupId) }
    }
}

impl Serialize for BackupId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackupId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for BackupId {
    fn schema_name() -> Cow<'static, str> {
        "BackupId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{6}Z(-\d+)?$",
            "description": "The UTC second of the backup's snapshot.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = BackupId::at(Micros(1_795_230_900_123_456));
        for id in [id, id.repeated(), id.repeated().repeated(), BackupId::at(Micros(u64::MAX))] {
            assert_eq!(id.to_string().parse(), Ok(id), "{id}");
        }
        assert_eq!(id.to_string(), "2026-11-21T031500Z");
        assert!(id < id.repeated() && id.repeated() < BackupId::at(id.taken_at().plus(Micros::SECOND)));
    }

    #[test]
    fn other_names_are_refused() {
        for text in [
            "",
            "artifacts",
            ".partial-2026-11-21T031500Z",
            "2026-11-21T031500",
            "2026-11-21T031500Z-1",
            "2026-11-21T031500Z-02",
            "2026-11-21T031500Z-",
            "2026-11-21T031500Z-0",
            "2026-13-21T031500Z",
            "2026-11-21T03150Z",
            "+2026-11-21T031500Z",
            "2026-11-21T031500Z/../x",
            "1969-11-21T031500Z",
        ] {
            assert_eq!(text.parse::<BackupId>(), Err(BadBackupId), "{text}");
        }
    }
}
