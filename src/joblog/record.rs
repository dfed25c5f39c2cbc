use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::time::Micros;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The program's standard output.
    Out,
    /// Its standard error.
    Err,
    /// What we say ourselves.
    Note,
}

impl Stream {
    /// As a record has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stream {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Out, Self::Err, Self::Note].into_iter().find(|stream| stream.as_str() == text).ok_or(())
    }
}

/// A record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was read from the program, RFC 3339.
    pub at: &'a str,
    /// Where it comes from.
    pub stream: Stream,
    /// What it says.
    pub text: &'a str,
}

impl<'a> Record<'a> {
    /// Takes a line, without its line feed, apart; none if it is no record (somebody wrote into our file).
    pub fn parse(line: &'a str) -> Option<Self> {
        let (at, rest) = line.split_once(' ')?;
        let (stream, text) = rest.split_once(' ')?;
        Some(Self { at, stream: stream.parse().ok()?, text })
    }
}

/// What stands before the text of every record of this instant and stream.
pub(super) fn prefix(at: Micros, stream: Stream) -> String {
    format!("{} {stream} ", at.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let line = prefix(Micros(1_768_621_566_123_000), Stream::Err) + "two  words";
        assert_eq!(line, "2026-01-17T03:46:06.123Z err two  words");
        let record = Record::parse(&line).unwrap();
        assert_eq!((record.stream, record.text), (Stream::Err, "two  words"));
        assert_eq!(Record::parse(&prefix(Micros(0), Stream::Out)).unwrap().text, "");
        for no in ["", "2026-01-17T03:46:06.123Z", "a b", "2026-01-17T03:46:06.123Z other text"] {
            assert_eq!(Record::parse(no), None, "{no:?}");
        }
    }
}
