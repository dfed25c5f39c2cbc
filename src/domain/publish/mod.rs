//! From what a program sends in to events: the fields of SPEC §4.1, and free ones besides.
//!
//! A line says what it knows; what it leaves out is read from its message by the same normaliser as a journal line's.
//! Either every line of a body becomes an event, in order, or none does.

/// The free fields: one JSON object, kept as text.
mod free;
/// One line.
mod line;
/// The values of its fields.
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::batch::EventBatch;
use super::normalise::{Normaliser, Scratch};
use super::time::Micros;

pub use free::{FIELDS_BYTES, FIELDS_DEPTH};
pub use line::{Field, NAME_BYTES, SHORT_NAME_BYTES};

/// The most events of one body.
pub const MAX_EVENTS: usize = 10_000;

/// How far ahead of the present an event may be: clocks differ, and so do zones that somebody forgot.
pub const AHEAD_MICROS: u64 = Micros::DAY;

/// After so many bad lines nobody reads on.
const MAX_BAD_LINES: usize = 20;

/// What a line is read against.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Reads from the message what the line leaves out.
    pub normaliser: &'a Normaliser,
    /// The sources that are configured for units.
    pub sources: &'a BTreeMap<String, String>,
    /// The host of lines that name none.
    pub host: &'a str,
    /// The present, which is also the time of lines that name none.
    pub now: Micros,
    /// Nothing older is kept, so nothing older is taken.
    pub oldest: Micros,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    Object,
    /// A JSON object a line; blank lines are passed over.
    Lines,
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1; none where the body is one object or the whole of it does not fit.
    pub line: Option<usize>,
    /// The field, where it is one field's fault.
    pub field: Option<String>,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// The events of `body`, in order, or every bad line (the first twenty).
pub fn events(body: &[u8], form: Form, terms: &Terms<'_>) -> Result<EventBatch, Vec<BadLine>> {
    let mut scratch = Scratch::default();
    let mut events = EventBatch::new();
    let mut bad = Vec::new();
    let whole = |why: String| BadLine { line: None, field: None, why };
    match form {
        Form::Object => {
            if let Err(fault) = line::read(body, terms, &mut scratch, &mut events) {
                bad.push(BadLine { line: None, field: fault.field, why: fault.why });
            }
        }
        Form::Lines => {
            for (at, text) in body.split(|byte| *byte == b'\n').enumerate() {
                if text.trim_ascii().is_empty() {
                    continue;
                }
                if events.len() == MAX_EVENTS {
                    bad.push(whole(format!("more than {MAX_EVENTS} events: send them in several requests")));
                    break;
                }
                if let Err(fault) = line::read(text, terms, &mut scratch, &mut events) {
                    bad.push(BadLine { line: Some(at + 1), field: fault.field, why: fault.why });
                    if bad.len() == MAX_BAD_LINES {
                        break;
                    }
                }
            }
            if bad.is_empty() && events.is_empty() {
                bad.push(whole("no event: send a JSON object a line".to_owned()));
            }
        }
    }
    if bad.is_empty() { Ok(events) } else { Err(bad) }
}
