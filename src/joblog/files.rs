use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::LogLimits;

const HEAD: &str = "head";
const TAIL: &str = "tail-";

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The offset of its first byte.
    pub(super) start: u64,
    /// Bytes.
    pub(super) length: u64,
    pub(super) path: PathBuf,
}

impl Part {
    pub(super) fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// The files of the log in `directory`, in order. A log that is not there has none.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Part>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut parts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(start) = name.to_str().and_then(start_of) else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => {
                parts.push(Part { start, length: metadata.len(), path: entry.path() });
            }
            // A segment that was dropped since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    // A segment may begin where the beginning of the log ends after no byte: the empty one of the two goes first.
    parts.sort_by_key(|part| (part.start, part.length));
    Ok(parts)
}

fn start_of(name: &str) -> Option<u64> {
    if name == HEAD {
        return Some(0);
    }
    name.strip_prefix(TAIL)?.parse().ok()
}

/// The writing side of a log's files. There is one writer at a time.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    limits: LogLimits,
    /// The file that is written to, last of all.
    last: Option<(Part, File)>,
    /// Segments before it, oldest first.
    segments: VecDeque<Part>,
    /// The log has segments: nothing is added to its beginning any more.
    head_is_closed: bool,
    end: u64,
}

/// What becomes of a record that a writer which died left unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// It ends there: nobody has the rest of it.
    Ends,
    /// It goes: it comes again, and offsets have to stay those of the original.
    Goes,
}

impl Files {
    /// Opens the log in `directory`, which is made if need be.
    pub(super) fn open(directory: &Path, limits: LogLimits, unfinished: Unfinished) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut parts = list(directory)?;
        let mut files = Self {
            directory: directory.to_owned(),
            limits,
            last: None,
            segments: VecDeque::new(),
            head_is_closed: parts.iter().any(|part| !is_head(part)),
            end: 0,
        };
        if let Some(mut part) = parts.pop() {
            let file = open(&part.path)?;
            if !ends_with_line_feed(&file, part.length)? {
                match unfinished {
                    Unfinished::Ends => {
                        file.write_all_at(b"\n", part.length)?;
                        part.length += 1;
                    }
                    Unfinished::Goes => {
                        part.length = behind_the_last_line_feed(&file, part.length)?;
                        file.set_len(part.length)?;
                    }
                }
            }
            files.end = part.end();
            files.last = Some((part, file));
        }
        files.segments = parts.into_iter().filter(|part| !is_head(part)).collect();
        Ok(files)
    }

    /// The offset of the next record.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Goes on at a later offset: what lies between never came.
    pub(super) fn skip_to(&mut self, offset: u64) {
        if offset > self.end {
            self.close_last();
            self.head_is_closed = true;
            self.end = offset;
        }
    }

    /// Appends whole records: all of `bytes`, or nothing.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.last.as_ref().is_none_or(|(part, _)| part.length + length > self.room(part)) {
            self.next_file(length)?;
        }
        let Some((part, file)) = &mut self.last else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = file.write_all_at(bytes, part.length) {
            // What was written of it would be taken for records whose offsets are given again.
            let _ = file.set_len(part.length);
            return Err(error);
        }
        part.length += length;
        self.end += length;
        Ok(())
    }

    /// How long a file may become.
    fn room(&self, part: &Part) -> u64 {
        if is_head(part) { self.limits.total / 2 } else { self.limits.segment }
    }

    fn next_file(&mut self, length: u64) -> io::Result<()> {
        let is_first = self.last.is_none() && !self.head_is_closed && self.end == 0;
        let name = if is_first && length <= self.limits.total / 2 {
            HEAD.to_owned()
        } else {
            self.head_is_closed = true;
            format!("{TAIL}{:020}", self.end)
        };
        self.close_last();
        self.drop_oldest(length);
        let path = self.directory.join(name);
        let file = open(&path)?;
        // An earlier try may have left something behind, if it could not write and then could not take it back either.
        file.set_len(0)?;
        self.last = Some((Part { start: self.end, length: 0, path }, file));
        Ok(())
    }

    fn close_last(&mut self) {
        if let Some((part, _)) = self.last.take()
            && !is_head(&part)
        {
            self.segments.push_back(part);
        }
    }

    /// Makes room for one more segment, before it is begun: that helps on a full disk too.
    fn drop_oldest(&mut self, length: u64) {
        let most = (self.limits.total / 2).saturating_sub(self.limits.segment.max(length));
        while self.segments.iter().map(|part| part.length).sum::<u64>() > most {
            let Some(oldest) = self.segments.pop_front() else { return };
            // What cannot be removed is found again by whoever opens the log next.
            let _ = fs::remove_file(&oldest.path);
        }
    }
}

fn is_head(part: &Part) -> bool {
    part.path.file_name().is_some_and(|name| name == HEAD)
}

/// Nobody but this user reads logs as files: programs may print what is nobody's business.
fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Where the last whole record ends.
fn behind_the_last_line_feed(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut bytes = [0; 16 << 10];
    while end > 0 {
        let start = end.saturating_sub(bytes.len() as u64);
        let piece = &mut bytes[..usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(piece, start)?;
        if let Some(at) = memchr::memrchr(b'\n', piece) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn ends_with_line_feed(file: &File, length: u64) -> io::Result<bool> {
    let Some(at) = length.checked_sub(1) else { return Ok(true) };
    let mut last = [0];
    file.read_exact_at(&mut last, at)?;
    Ok(last == *b"\n")
}
