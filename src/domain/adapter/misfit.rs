use std::fmt::{self, Write as _};

use serde::Serialize;

/// The longest name of a place, and the longest reason, in characters: both quote what somebody wrote.
const MOST: (usize, usize) = (256, 1_000);

/// Places that are told; whoever breaks the contract in more breaks it in these.
const TOLD: usize = 20;

/// A place of an answer that breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// Where: a JSON pointer (RFC 6901), `/train_metrics/auc`; empty for the whole.
    pub pointer: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.why),
            pointer => write!(f, "{pointer}: {}", self.why),
        }
    }
}

/// Everything in an answer that breaks the contract, the first places of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Misfits(pub Vec<Misfit>);

fn clipped(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, misfit) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            misfit.fmt(f)?;
        }
        Ok(())
    }
}

impl Misfits {
    /// One.
    pub(super) fn one(pointer: impl Into<String>, why: impl Into<String>) -> Self {
        let mut misfits = Self::default();
        misfits.add(pointer, why);
        misfits
    }

    pub(super) fn add(&mut self, pointer: impl Into<String>, why: impl Into<String>) {
        if self.0.len() < TOLD {
            self.0.push(Misfit { pointer: clipped(pointer.into(), MOST.0), why: clipped(why.into(), MOST.1) });
        }
    }

    /// `value`, if nothing was found.
    pub(super) fn none<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// A word that somebody reads: said, not endless, and in one line.
    pub(super) fn word(&mut self, pointer: impl Into<String>, text: &str, most: usize) {
        if text.trim().is_empty() || text.len() > most || text.chars().any(char::is_control) {
            self.add(pointer, format!("must have 1 to {most} bytes without control characters"));
        }
    }
}

/// A pointer to `key` below `parent`.
pub(super) fn below(parent: &str, key: impl fmt::Display) -> String {
    let mut pointer = format!("{parent}/");
    for character in key.to_string().chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            // What would break the line that it is told in.
            control if control.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(pointer, "{}", control.escape_default());
            }
            other => pointer.push(other),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_of_an_answer_is_bounded() {
        let told = Misfits::one("é".repeat(10_000), "w".repeat(10_000));
        let lengths: Vec<_> = told.0.iter().map(|one| (one.pointer.chars().count(), one.why.chars().count())).collect();
        assert_eq!(lengths, [(MOST.0 + 1, MOST.1 + 1)], "each with its ellipsis");
        let short = Misfits::one("/metrics", "is missing");
        assert_eq!((short.0[0].pointer.as_str(), short.0[0].why.as_str()), ("/metrics", "is missing"));
    }
}
