//! The daemon's copy of jobs' logs, which workers send as they grow.

use std::io;
use std::sync::PoisonError;

use super::{JobError, Jobs};
use crate::domain::job::JobId;
use crate::joblog::{Copied, LogCopy, LogLimits};

/// What logs leave free on the disk, which is the data file's: a part of it, within these bounds.
const FREE_PART: u64 = 16;
const FREE_BYTES: (u64, u64) = (32 << 20, 1 << 30);

/// The largest offset: no log comes near it.
const OFFSET_MOST: u64 = 1 << 53;

impl Jobs {
    /// Takes a piece of the log of a lease: whole records that stand at `offset`. What is there already is left as it is.
    /// A worker that has the job no more is refused.
    pub fn append_log(&self, id: JobId, epoch: u64, offset: u64, records: &[u8]) -> Result<Copied, JobError> {
        if offset > OFFSET_MOST {
            return Err(JobError::bad("offset", "lies beyond every log"));
        }
        check(records)?;
        // One writer a log; a second request of the same worker waits.
        let which = usize::try_from(id.0).unwrap_or(0) % self.logs.len();
        let _alone = self.logs[which].lock().unwrap_or_else(PoisonError::into_inner);
        self.get(id)?.held_under(epoch)?;
        let directory = self.log_directory(id).join(epoch.to_string());
        let not_now =
            |error: io::Error| JobError::Orchestration { what: "keeping a job's log", source: Box::new(error) };
        if !records.is_empty() {
            let disk = rustix::fs::statvfs(self.store.path()).map_err(|errno| not_now(errno.into()))?;
            let least = (disk.f_blocks.saturating_mul(disk.f_frsize) / FREE_PART).clamp(FREE_BYTES.0, FREE_BYTES.1);
            if disk.f_bavail.saturating_mul(disk.f_frsize) < least {
                return Err(not_now(io::Error::new(io::ErrorKind::StorageFull, "the disk is nearly full")));
            }
        }
        let mut copy = LogCopy::open(&directory, LogLimits::of(self.config.log_bytes)).map_err(not_now)?;
        copy.append_at(offset, records).map_err(not_now)
    }
}

/// Records are what our own writer makes of a program's output: lines of text in which nothing acts on a terminal.
fn check(records: &[u8]) -> Result<(), JobError> {
    let text =
        std::str::from_utf8(records).map_err(|error| JobError::bad("records", format!("are no UTF-8: {error}")))?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(JobError::bad("records", "break off within a line"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(JobError::bad("records", "hold control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_lines_of_text() {
        for good in [&b""[..], b"2026-01-17T03:46:06.500Z out a\tb\n", "ä\n\n".as_bytes()] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        for bad in [&b"a"[..], b"a\nb", b"a\x1b[2J\n", b"\xff\n", b"a\r\n", b"\0\n"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
