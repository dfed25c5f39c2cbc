use std::io;
use std::path::Path;

use memchr::{memchr, memrchr};

use super::LogLimits;
use super::files::{Files, Unfinished};

/// The same log in another place: takes records that were made elsewhere, at their offsets.
#[derive(Debug)]
pub struct LogCopy {
    files: Files,
    /// Records are stored in pieces that fit into segments.
    piece: usize,
}

/// What a copy has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The offset from which on it wants more.
    pub next: u64,
    /// Bytes before what came that it never got.
    pub missing: u64,
}

impl LogCopy {
    /// Opens the copy in `directory`, which is made if need be. There must be no other writer.
    pub fn open(directory: &Path, limits: LogLimits) -> io::Result<Self> {
        let piece = usize::try_from(limits.segment).unwrap_or(usize::MAX);
        Ok(Self { files: Files::open(directory, limits, Unfinished::Goes)?, piece })
    }

    /// The offset from which on it wants more.
    pub fn next(&self) -> u64 {
        self.files.end()
    }

    /// Takes whole records that stand at `offset`. What it has already, it leaves as it is, so that the same may be sent
    /// twice; a later offset than it wants leaves a gap, for good. On an error it has a part of it: [`LogCopy::next`] says
    /// how much.
    pub fn append_at(&mut self, offset: u64, records: &[u8]) -> io::Result<Copied> {
        let known = self.files.end();
        let missing = offset.saturating_sub(known);
        let has = usize::try_from(known.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut rest = records.get(has..).unwrap_or_default();
        if !rest.is_empty() {
            self.files.skip_to(offset);
        }
        while !rest.is_empty() {
            let fits = rest.len().min(self.piece);
            let end = |at| at + 1;
            let cut = match memrchr(b'\n', &rest[..fits]) {
                _ if fits == rest.len() => fits,
                Some(last) => end(last),
                // A record that is longer than a segment has one of its own.
                None => memchr(b'\n', rest).map_or(rest.len(), end),
            };
            self.files.append(&rest[..cut])?;
            rest = &rest[cut..];
        }
        Ok(Copied { next: self.files.end(), missing })
    }
}
