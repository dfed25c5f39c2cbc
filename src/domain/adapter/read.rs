use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::misfit::{Misfits, below};
use crate::domain::request::depth::{DEPTH, is_too_deep};

/// How unlike a name that is meant may be.
const ALIKE: f64 = 0.7;

/// Reads an answer of at most `most` bytes.
pub(super) fn read<T: DeserializeOwned>(json: &[u8], most: usize) -> Result<T, Misfits> {
    if json.len() > most {
        let why = format!("is {} bytes long, and may have {most}: put what is large into files", json.len());
        return Err(Misfits::one("", why));
    }
    if json.is_empty() {
        return Err(Misfits::one("", "is empty: write it whole, and last"));
    }
    // A list would be taken for the fields in their order.
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(Misfits::one("", "is a list: write one JSON object"));
    }
    if is_too_deep(json) {
        return Err(Misfits::one("", format!("is nested deeper than {DEPTH}")));
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => value,
        Err(error) => {
            let pointer = pointer(error.path());
            return Err(told(pointer, &error.into_inner(), json));
        }
    };
    match reader.end() {
        Ok(()) => Ok(value),
        Err(_) => Err(Misfits::one("", "has something behind its object: write one JSON object and nothing else")),
    }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer = match segment {
            Segment::Seq { index } => below(&pointer, index),
            Segment::Map { key } => below(&pointer, key),
            Segment::Enum { variant } => below(&pointer, variant),
            // Whatever has no name of its own is told as what it stands in.
            Segment::Unknown => pointer,
        };
    }
    pointer
}

fn told(pointer: String, error: &serde_json::Error, json: &[u8]) -> Misfits {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let plain = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
    match error.classify() {
        Category::Eof => Misfits::one("", "breaks off: write it under another name and rename it, once it is whole"),
        Category::Syntax | Category::Io if is_no_number(json, line, column) => {
            let why = format!("NaN and Infinity are no JSON: leave such a figure out (line {line}, column {column})");
            Misfits::one(pointer, why)
        }
        Category::Syntax | Category::Io => Misfits::one(pointer, format!("is no JSON: {words}")),
        Category::Data => match (quoted(plain, "unknown field "), quoted(plain, "missing field ")) {
            (Some(field), _) => {
                // Where the path ends with the field already, it is not said twice.
                let place = below("", field);
                let pointer = if pointer.ends_with(&place) { pointer } else { pointer + &place };
                Misfits::one(
                    pointer,
                    format!("is not known here{}; what is your own goes below `extra`", meant(plain, field)),
                )
            }
            (_, Some(field)) => Misfits::one(pointer, format!("lacks `{field}`")),
            _ => Misfits::one(pointer, plain),
        },
    }
}

/// Whether the text stops being JSON at what Python writes for numbers that are none.
fn is_no_number(json: &[u8], line: usize, column: usize) -> bool {
    let Some(line) = json.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)) else { return false };
    // The parser stops at the first or behind the first letter.
    [column.saturating_sub(1), column.saturating_sub(2)].into_iter().any(|at| {
        let rest = line.get(at..).unwrap_or_default();
        ["NaN", "Infinity", "-Infinity", "-NaN"].iter().any(|word| rest.starts_with(word.as_bytes()))
    })
}

/// The name in backticks behind `words`, as serde puts it.
fn quoted<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.strip_prefix(words)?.strip_prefix('`')?.split('`').next()
}

/// The field that was meant, out of those that serde says it expected.
fn meant(text: &str, field: &str) -> String {
    let known = text.split('`').skip(3).step_by(2);
    let like = known.map(|known| (strsim::jaro_winkler(known, field), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    like.filter(|(like, _)| *like >= ALIKE).map_or_else(String::new, |(_, known)| format!(": did you mean `{known}`?"))
}
