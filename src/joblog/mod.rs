//! The log of a job: what its programs wrote, bounded, in a directory of its own.
//!
//! One record a line: the instant, which stream, the text. The beginning is kept and the end is kept; what lies between is
//! dropped, oldest first, once there is too much. A record has an offset, the number of bytes of records before it ever
//! since the beginning, which dropping does not change: whoever follows knows where it is, and is told what it has missed.
//!
//! ```text
//! head                        records from offset 0 on, at most half of all bytes
//! tail-00000000000041943040   records from that offset on, a segment; the oldest are dropped
//! tail-00000000000046137344
//! ```
//!
//! [`LogWriter`] takes what programs write and makes records of it; [`LogCopy`] takes records that were made elsewhere, at
//! their offsets; [`LogReader`] reads either, also while it is written. All are blocking. Nothing is forced to the disk: a log
//! explains a job, it does not decide anything.

mod clean;
mod copy;
mod files;
mod fold;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod writer;

pub use self::copy::{Copied, LogCopy};
pub use self::reader::{Found, Lines, LogReader, Matches};
pub use self::record::{Record, Stream};
pub use self::writer::{LogWriter, Written};

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of all records, half of them for the beginning.
    pub total: u64,
    /// Bytes of a segment of the end. What is dropped is dropped in these pieces.
    pub segment: u64,
}

impl LogLimits {
    /// With so many bytes in all, at least a mebibyte: the longest record has room in a segment.
    pub fn of(total: u64) -> Self {
        let total = total.max(1 << 20);
        Self { total, segment: (total / 8).min(4 << 20) }
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self::of(64 << 20)
    }
}

/// Bytes of a line that are kept; the rest is counted and dropped.
pub const LINE_BYTES: usize = 16 << 10;

/// No record is longer: the kept bytes of a line, of which each may become four, and what stands around them.
pub(crate) const RECORD_BYTES: usize = 4 * LINE_BYTES + 256;
