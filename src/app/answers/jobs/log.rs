use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::answers::QueryError;
use crate::app::answers::query::{filled, limit};
use crate::app::jobs::{Jobs, log_directory};
use crate::domain::job::JobId;
use crate::joblog::{LogReader, Record, Stream};

/// Lines of a page where nobody says how many.
pub const LINES: usize = 200;

/// The most lines of a page.
pub const MOST_LINES: usize = 5_000;

/// The longest text that can be looked for.
const GREP_BYTES: usize = 256;

/// Bytes that are read for a page: lines are short, and a page may have fewer of them than it could.
const PAGE_BYTES: usize = 1 << 20;

/// How lines are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// As JSON.
    #[default]
    Json,
    /// As they are kept, without what stands around them.
    Text,
}

impl LogFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

/// A word that is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use json or text")]
pub struct BadFormat;

impl FromStr for LogFormat {
    type Err = BadFormat;

    fn from_str(text: &str) -> Result<Self, BadFormat> {
        [Self::Json, Self::Text].into_iter().find(|format| format.as_str() == text).ok_or(BadFormat)
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which lines of a job's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// Of which lease: each has a log of its own. The newest that has one where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub epoch: Option<u64>,
    /// From this offset on: the `next` of an answer. The newest lines where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub from: Option<u64>,
    /// The lines before this offset: the `first` of an answer.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub before: Option<u64>,
    /// How many lines at most, from 1 to 5000; 200 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<usize>,
    /// Only lines with this text in them, from `from` on or from the beginning. One answer looks through a bounded part of
    /// the log: `next` says where to look on, until it is `end`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub grep: Option<String>,
    /// As `json`, or as `text`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub format: Option<LogFormat>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Where it stands.
    pub offset: u64,
    /// When it was read from the program; null where somebody else wrote into the file.
    pub at: Option<String>,
    /// Where it comes from: `out` and `err` are the program's, `note` is what the worker says of it.
    pub stream: Stream,
    /// What it says.
    pub text: String,
}

impl LogLine {
    fn of(offset: u64, line: &str) -> Self {
        match Record::parse(line) {
            Some(Record { at, stream, text }) => {
                Self { offset, at: Some(at.to_owned()), stream, text: text.to_owned() }
            }
            None => Self { offset, at: None, stream: Stream::Note, text: line.to_owned() },
        }
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{at} {} {}", self.stream, self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Lines of a job's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogPage {
    /// The job.
    pub job_id: JobId,
    /// Of which lease; 0 where there is no log yet.
    pub epoch: u64,
    /// The leases that have a log.
    pub epochs: Vec<u64>,
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The offset of the first line: what `before` takes.
    pub first: u64,
    /// Where to read, or to look, on: what `from` takes.
    pub next: u64,
    /// How far the log goes so far.
    pub end: u64,
    /// Bytes between what was asked for and the first line that are not kept.
    pub skipped: u64,
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The query.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The directory.
    #[error("reading {}: {source}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The logs of one job: a directory with one for each lease.
#[derive(Clone, Debug)]
pub struct JobLogs {
    job: JobId,
    directory: PathBuf,
}

impl JobLogs {
    /// Of a job.
    pub fn of(jobs: &Jobs, job: JobId) -> Self {
        Self { job, directory: jobs.log_directory(job) }
    }

    /// The same of a data file without a daemon.
    pub fn beside(data_file: &Path, job: JobId) -> Self {
        Self { job, directory: log_directory(data_file, job) }
    }

    /// The log of a lease, which need not exist.
    pub fn log(&self, epoch: u64) -> LogReader {
        LogReader::open(self.directory.join(epoch.to_string()))
    }

    /// The leases that have one, oldest first.
    pub fn epochs(&self) -> Result<Vec<u64>, LogError> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.unreadable(source)),
        };
        let mut epochs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| self.unreadable(source))?;
            epochs.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// The lines that a query is about.
    pub fn page(&self, query: &LogQuery) -> Result<LogPage, LogError> {
        let most = limit(query.limit.or(Some(LINES)), MOST_LINES)?;
        if query.from.is_some() && query.before.is_some() {
            return Err(QueryError::Bad { field: "before", why: "use `from` or `before`, not both".into() }.into());
        }
        let epochs = self.epochs()?;
        let epoch = query.epoch.or(epochs.last().copied()).unwrap_or_default();
        let reader = self.log(epoch);
        let page =
            LogPage { job_id: self.job, epoch, epochs, lines: Vec::new(), first: 0, next: 0, end: 0, skipped: 0 };
        let found = match &query.grep {
            Some(grep) if grep.len() > GREP_BYTES => {
                let why = format!("use at most {GREP_BYTES} bytes");
                return Err(QueryError::Bad { field: "grep", why }.into());
            }
            Some(grep) => page.search(&reader, grep, query.from.unwrap_or_default(), most),
            None => match (query.from, query.before) {
                (Some(from), _) => page.forward(&reader, from, most),
                (None, Some(before)) => page.backward(&reader, before, most),
                (None, None) => reader.last(most, PAGE_BYTES).and_then(|from| page.forward(&reader, from, most)),
            },
        };
        found.map_err(|source| self.unreadable(source))
    }

    fn unreadable(&self, source: io::Error) -> LogError {
        LogError::Unreadable { path: self.directory.clone(), source }
    }
}

impl LogPage {
    fn forward(mut self, reader: &LogReader, from: u64, most: usize) -> io::Result<Self> {
        let read = reader.read(from, PAGE_BYTES)?;
        (self.first, self.next, self.end, self.skipped) = (read.first, read.next, read.end, read.skipped);
        self.lines = lines(&read.bytes, read.first);
        if self.lines.len() > most {
            self.next = self.lines[most].offset;
            self.lines.truncate(most);
        }
        Ok(self)
    }

    /// The newest lines before an offset. What is not kept in between is passed over.
    fn backward(mut self, reader: &LogReader, before: u64, most: usize) -> io::Result<Self> {
        let start = before.saturating_sub(PAGE_BYTES as u64);
        let mut at = start;
        loop {
            let read = reader.read(at, PAGE_BYTES)?;
            self.end = read.end;
            let mut found = lines(&read.bytes, read.first);
            // Where it began in the middle of a line, that line is on the page before.
            if at == start && start > 0 && read.skipped == 0 && !found.is_empty() {
                found.remove(0);
            }
            found.retain(|line| line.offset < before);
            let is_last = read.bytes.is_empty() || read.next >= before;
            self.lines.append(&mut found);
            at = read.next;
            if is_last {
                break;
            }
        }
        self.lines.drain(..self.lines.len().saturating_sub(most));
        self.first = self.lines.first().map_or(before, |line| line.offset);
        self.next = before.min(self.end);
        Ok(self)
    }

    fn search(mut self, reader: &LogReader, grep: &str, from: u64, most: usize) -> io::Result<Self> {
        let matches = reader.search(grep, from, most)?;
        (self.next, self.end) = (matches.next, matches.end);
        self.lines = matches.found.iter().map(|found| LogLine::of(found.offset, &found.line)).collect();
        self.first = self.lines.first().map_or(from, |line| line.offset);
        Ok(self)
    }
}

/// Records as lines; a part of a character is shown as what it is not.
pub fn lines(bytes: &[u8], first: u64) -> Vec<LogLine> {
    let mut offset = first;
    let each = bytes.split_inclusive(|byte| *byte == b'\n').map(|record| {
        let line = LogLine::of(offset, String::from_utf8_lossy(record.strip_suffix(b"\n").unwrap_or(record)).as_ref());
        offset += record.len() as u64;
        line
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Micros;
    use crate::joblog::{LogLimits, LogWriter};

    /// A log of so many lines, of which some in the middle are not kept if there are many, which are long then.
    fn logs(count: usize) -> (tempfile::TempDir, JobLogs) {
        let directory = tempfile::tempdir().unwrap();
        let logs = JobLogs { job: JobId(17), directory: directory.path().to_owned() };
        let mut writer = LogWriter::open(logs.log(2).directory(), LogLimits::of(64 << 10)).unwrap();
        let rest = ".".repeat(if count > 1_000 { 300 } else { 0 });
        for number in 0..count {
            writer.append(Micros(1_768_621_566_123_000), Stream::Out, format!("line {number}{rest}\n").as_bytes());
        }
        writer.finish(Micros(1_768_621_566_123_000));
        (directory, logs)
    }

    fn texts(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.text.as_str()).collect()
    }

    fn query(change: impl FnOnce(&mut LogQuery)) -> LogQuery {
        let mut query = LogQuery { limit: Some(3), ..LogQuery::default() };
        change(&mut query);
        query
    }

    #[test]
    fn pages_lead_to_and_fro() {
        let (_directory, logs) = logs(10);
        let newest = logs.page(&query(|_| {})).unwrap();
        assert_eq!((newest.epoch, texts(&newest)), (2, vec!["line 7", "line 8", "line 9"]));
        assert_eq!(newest.next, newest.end);
        let before = logs.page(&query(|query| query.before = Some(newest.first))).unwrap();
        assert_eq!(texts(&before), ["line 4", "line 5", "line 6"]);
        assert_eq!(before.next, newest.first, "the page behind begins where this one ends");
        let behind = logs.page(&query(|query| query.from = Some(before.next))).unwrap();
        assert_eq!(behind.lines, newest.lines);
        let first = logs.page(&query(|query| query.from = Some(0))).unwrap();
        assert_eq!((first.first, texts(&first)), (0, vec!["line 0", "line 1", "line 2"]));
        let none = logs.page(&query(|query| query.before = Some(0))).unwrap();
        assert_eq!((texts(&none), none.first), (vec![], 0));
    }

    #[test]
    fn what_is_not_kept_is_told_and_passed_over() {
        let (_directory, logs) = logs(5_000);
        let first = logs.page(&query(|query| (query.from, query.limit) = (Some(0), Some(5_000)))).unwrap();
        assert!(first.lines.len() < 5_000 && first.next < first.end, "everything is kept: {}", first.lines.len());
        let behind = logs.page(&query(|query| query.from = Some(first.next))).unwrap();
        assert!(behind.skipped > 0 && behind.first == first.next + behind.skipped, "{behind:?}");
        let before = logs.page(&query(|query| query.before = Some(behind.first))).unwrap();
        assert_eq!(before.lines, first.lines[first.lines.len() - 3..], "back over the gap");
    }

    #[test]
    fn looking_for_a_text() {
        let (_directory, logs) = logs(30);
        let found = logs.page(&query(|query| query.grep = Some("line 1".into()))).unwrap();
        assert_eq!(texts(&found), ["line 1", "line 10", "line 11"]);
        let more = |query: &mut LogQuery| (query.grep, query.from) = (Some("line 1".into()), Some(found.next));
        assert_eq!(texts(&logs.page(&query(more)).unwrap()), ["line 12", "line 13", "line 14"]);
        let none = logs.page(&query(|query| query.grep = Some("nothing".into()))).unwrap();
        assert_eq!((none.lines.len(), none.next), (0, none.end));
        assert!(logs.page(&query(|query| query.grep = Some("x".repeat(300)))).is_err());
    }

    #[test]
    fn a_job_without_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let page = JobLogs { job: JobId(1), directory: directory.path().join("none") }.page(&query(|_| {})).unwrap();
        assert_eq!((page.epoch, page.lines.len(), page.end), (0, 0, 0));
    }
}
