use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a file, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It was taken by an earlier import, and is the same as then.
    Already,
    /// It is not for this: no file of the registry, or one that nothing here has a place for.
    Aside,
    /// It could not be taken.
    NotTaken,
}

/// A file, what became of it, and what there is to say about that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReport {
    /// The file, below the registry's directory.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was not taken, or what was not taken of it; a sentence each.
    pub notes: Vec<String>,
}

impl FileReport {
    /// About one file.
    pub fn new(path: &str, outcome: Outcome, notes: Vec<String>) -> Self {
        Self { path: path.to_owned(), outcome, notes }
    }

    /// One that could not be taken.
    pub fn not_taken(path: &str, why: impl fmt::Display) -> Self {
        Self::new(path, Outcome::NotTaken, vec![why.to_string()])
    }
}

/// How many files became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Taken.
    pub taken: u64,
    /// Taken by an earlier import.
    pub already: u64,
    /// Not for this.
    pub aside: u64,
    /// Not taken.
    pub not_taken: u64,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Taken => &mut self.taken,
            Outcome::Already => &mut self.already,
            Outcome::Aside => &mut self.aside,
            Outcome::NotTaken => &mut self.not_taken,
        };
        *count += 1;
    }
}
