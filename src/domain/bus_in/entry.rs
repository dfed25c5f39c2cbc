use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::domain::id::EventId;

/// The id of a stream's entry: all of Redis' range, which somebody else may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct EntryId {
    /// Milliseconds since the epoch, by the clock of who gave it.
    pub ms: u64,
    /// Counts those of one millisecond.
    pub seq: u64,
}

impl EntryId {
    /// The smallest id after this one.
    pub fn next(self) -> Self {
        match self.seq.checked_add(1) {
            Some(seq) => Self { ms: self.ms, seq },
            None => Self { ms: self.ms.saturating_add(1), seq: 0 },
        }
    }

    /// The largest id before this one.
    pub fn previous(self) -> Self {
        match self.seq.checked_sub(1) {
            Some(seq) => Self { ms: self.ms, seq },
            None => Self { ms: self.ms.saturating_sub(1), seq: if self.ms == 0 { 0 } else { u64::MAX } },
        }
    }

    /// The id for an entry that would like to be `wanted` in a stream that ends at `self`: generated where somebody
    /// else's larger id is in the way.
    pub fn then(self, wanted: Self) -> Self {
        if wanted > self { wanted } else { self.next() }
    }
}

impl From<EventId> for EntryId {
    fn from(id: EventId) -> Self {
        Self { ms: id.ms(), seq: id.seq().into() }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A text that is no entry's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a stream's entry, such as 1768621479809-0")]
pub struct BadEntryId;

impl FromStr for EntryId {
    type Err = BadEntryId;

    fn from_str(text: &str) -> Result<Self, BadEntryId> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        let number = |text: &str| text.parse().map_err(|_| BadEntryId);
        Ok(Self { ms: number(ms)?, seq: number(seq)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_on_above_a_foreign_one() {
        let id = |text: &str| text.parse::<EntryId>().expect(text);
        assert_eq!(id("5-7").then(id("6-0")), id("6-0"));
        assert_eq!(id("5-7").then(id("5-7")), id("5-8"));
        assert_eq!(id("9-0").then(id("6-0")), id("9-1"));
        assert_eq!(EntryId { ms: 9, seq: u64::MAX }.then(id("6-0")), id("10-0"));
        assert_eq!(id("10-0").previous(), EntryId { ms: 9, seq: u64::MAX });
        assert_eq!(id("0-0").previous(), id("0-0"));
        assert_eq!(EntryId::from(EventId::new(5, 3)), id("5-3"));
    }
}
