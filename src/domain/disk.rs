//! How long the disk will do.

/// What the forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that the data file may still take from the disk.
    pub free: u64,
    /// Bytes that its events take now.
    pub events_bytes: u64,
    /// Events that it keeps now.
    pub kept: u64,
    /// Events of the last 24 hours.
    pub a_day: u64,
    /// Days that events are kept.
    pub retention_days: u32,
    /// Bytes that all events may take.
    pub retention_bytes: u64,
}

/// What comes of it, if every day is like the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outlook {
    /// Nothing came in: there is no rate.
    Quiet,
    /// The disk is full before retention takes anything away.
    Fills {
        /// In so many days.
        days: f64,
        /// Growth a day in bytes.
        a_day: u64,
    },
    /// Retention keeps the file from growing before the disk is full.
    Settles {
        /// The events' size from then on.
        bytes: u64,
        /// Growth a day in bytes until then.
        a_day: u64,
    },
}

/// Bytes of an event where too few are kept to tell: what real lines settle at.
const EVENT_BYTES: f64 = 30.0;

/// Events from which on their own size is telling.
const TELLING: u64 = 10_000;

impl Room {
    /// The outlook.
    pub fn outlook(&self) -> Outlook {
        if self.a_day == 0 {
            return Outlook::Quiet;
        }
        let each = if self.kept < TELLING { EVENT_BYTES } else { self.events_bytes as f64 / self.kept as f64 };
        let a_day = self.a_day as f64 * each;
        let settled = (a_day * f64::from(self.retention_days)).min(self.retention_bytes as f64);
        let growth = (settled - self.events_bytes as f64).max(0.0);
        if growth <= self.free as f64 {
            Outlook::Settles { bytes: settled.max(self.events_bytes as f64) as u64, a_day: a_day as u64 }
        } else {
            Outlook::Fills { days: self.free as f64 / a_day, a_day: a_day as u64 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn room() -> Room {
        // 24 bytes an event, 25 million a day: 600 MB a day.
        Room {
            free: 100 * GIB,
            events_bytes: 2_400_000_000,
            kept: 100_000_000,
            a_day: 25_000_000,
            retention_days: 30,
            retention_bytes: 8 * GIB,
        }
    }

    #[test]
    fn retention_by_bytes_or_by_age_comes_first_where_there_is_room() {
        assert_eq!(room().outlook(), Outlook::Settles { bytes: 8 * GIB, a_day: 600_000_000 });
        let aged = Room { retention_days: 5, ..room() };
        assert_eq!(aged.outlook(), Outlook::Settles { bytes: 3_000_000_000, a_day: 600_000_000 });
    }

    #[test]
    fn the_disk_comes_first_where_there_is_none() {
        let full = Room { free: 1_500_000_000, ..room() };
        assert_eq!(full.outlook(), Outlook::Fills { days: 2.5, a_day: 600_000_000 });
    }

    #[test]
    fn no_events_no_rate_and_few_events_no_size_of_their_own() {
        assert_eq!(Room { a_day: 0, ..room() }.outlook(), Outlook::Quiet);
        let new = Room { kept: 3, events_bytes: 90_000, a_day: 1_000, ..room() };
        assert_eq!(new.outlook(), Outlook::Settles { bytes: 900_000, a_day: 30_000 });
    }

    #[test]
    fn a_file_that_is_larger_than_it_will_be_does_not_grow() {
        let shrinking = Room { free: 10, events_bytes: 9 * GIB, kept: 402_653_184, ..room() };
        assert_eq!(shrinking.outlook(), Outlook::Settles { bytes: 9 * GIB, a_day: 600_000_000 });
    }
}
