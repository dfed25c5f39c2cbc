use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

use super::RECORD_BYTES;
use super::files::{self, Part};

/// How much one search looks through before it answers with where it is.
const SEARCH_BYTES: u64 = 8 << 20;

/// How much a search holds at a time.
const SEARCH_PIECE: usize = 256 << 10;

/// Reads a log, also while somebody writes it.
#[derive(Clone, Debug)]
pub struct LogReader {
    directory: PathBuf,
}

/// Whole records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The offset of the first one.
    pub first: u64,
    /// The offset behind the last one: where to read on.
    pub next: u64,
    /// Bytes between what was asked for and the first one: they were dropped, or never came.
    pub skipped: u64,
    /// How far the log goes.
    pub end: u64,
    /// The records, each with its line feed; none at the end of the log.
    pub bytes: Vec<u8>,
}

/// A record that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: u64,
    /// The record, without its line feed.
    pub line: String,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// In order.
    pub found: Vec<Found>,
    /// Where to look on; nothing is left where that is the end.
    pub next: u64,
    /// How far the log goes.
    pub end: u64,
}

impl LogReader {
    /// Of the log in `directory`, which need not exist yet.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How far the log goes.
    pub fn end(&self) -> io::Result<u64> {
        Ok(files::list(&self.directory)?.last().map_or(0, Part::end))
    }

    /// The offset of the last `lines` records or fewer, as far as about `most` bytes at the end hold them.
    pub fn last(&self, lines: usize, most: usize) -> io::Result<u64> {
        let end = self.end()?;
        let from = end.saturating_sub(most as u64);
        let tail = self.read(from, most)?;
        // Unless it is the log's beginning or stands behind a gap, the first line is the rest of one.
        let whole = if tail.first == 0 || tail.skipped > 0 {
            0
        } else {
            memchr(b'\n', &tail.bytes).map_or(tail.bytes.len(), |at| at + 1)
        };
        let mut at = tail.bytes.len();
        for _ in 0..lines {
            if at <= whole {
                break;
            }
            at = memrchr(b'\n', &tail.bytes[..at - 1]).map_or(0, |before| before + 1);
        }
        Ok(tail.first + at.max(whole) as u64)
    }

    /// Records from `from` on, of about `most` bytes: at least one, if there is any, and none across a gap. `from` is the
    /// offset of a record, as an earlier answer gave it.
    pub fn read(&self, from: u64, most: usize) -> io::Result<Lines> {
        let most = most.max(RECORD_BYTES);
        let mut lines = Lines { first: from, next: from, ..Lines::default() };
        for part in files::list(&self.directory)? {
            lines.end = part.end();
            let is_gap = part.start > lines.next;
            if part.end() <= lines.next || lines.bytes.len() >= most || (is_gap && !lines.bytes.is_empty()) {
                continue;
            }
            let mut bytes = vec![0; most - lines.bytes.len()];
            let at = lines.next.max(part.start);
            let read = match File::open(&part.path) {
                Ok(file) => read_at(&file, &mut bytes, at - part.start)?,
                // Dropped since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // The last line may be in the middle of being written.
            let whole = match memrchr(b'\n', &bytes[..read]) {
                Some(last) => last + 1,
                None if read >= RECORD_BYTES => read,
                None => 0,
            };
            if whole == 0 {
                continue;
            }
            if lines.bytes.is_empty() {
                lines.first = at;
                lines.skipped = at - from;
            }
            bytes.truncate(whole);
            lines.bytes.append(&mut bytes);
            lines.next = at + whole as u64;
        }
        Ok(lines)
    }

    /// Records with `needle` in them, from `from` on, at most `most`. One call looks through a bounded part of the log.
    pub fn search(&self, needle: &str, from: u64, most: usize) -> io::Result<Matches> {
        let finder = Finder::new(needle);
        let mut matches = Matches { next: from, ..Matches::default() };
        let mut looked = 0;
        while looked < SEARCH_BYTES && matches.found.len() < most {
            let lines = self.read(matches.next, SEARCH_PIECE)?;
            matches.end = lines.end;
            if lines.bytes.is_empty() {
                break;
            }
            looked += lines.bytes.len() as u64;
            matches.next = lines.next;
            let mut at = 0;
            while let Some(hit) = finder.find(&lines.bytes[at..]) {
                let start = memrchr(b'\n', &lines.bytes[..at + hit]).map_or(0, |before| before + 1);
                let end = memchr(b'\n', &lines.bytes[at + hit..]).map_or(lines.bytes.len(), |behind| at + hit + behind);
                let line = String::from_utf8_lossy(&lines.bytes[start..end]).into_owned();
                matches.found.push(Found { offset: lines.first + start as u64, line });
                at = (end + 1).min(lines.bytes.len());
                if matches.found.len() == most {
                    matches.next = lines.first + at as u64;
                    break;
                }
                if at == lines.bytes.len() {
                    break;
                }
            }
        }
        Ok(matches)
    }
}

fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
