use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DataRange;
use super::misfit::{Misfits, below};
use crate::domain::model::ArtifactPath;
use crate::domain::time::Micros;

/// The most symbols of one answer.
const SYMBOLS: usize = 10_000;

/// The most files that are named.
const FILES: usize = 10_000;

/// What the program that fetches the data answers. Its files stay in its directory, where the next programs read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataResult {
    /// From when to when the data reaches.
    pub data_range: DataRange,
    /// How many rows there are.
    #[schemars(range(min = 1))]
    pub rows: u64,
    /// The files that it left, by their paths below its working directory.
    #[serde(default)]
    #[schemars(length(max = FILES))]
    pub files: Vec<ArtifactPath>,
    /// The symbols that the data holds.
    #[serde(default)]
    #[schemars(length(max = SYMBOLS))]
    pub symbols: Vec<String>,
    /// Whatever else the next programs, or people, want to know.
    #[serde(default)]
    pub extra: Option<Value>,
}

impl DataResult {
    pub(super) fn check(self, now: Micros) -> Result<Self, Misfits> {
        let mut misfits = Misfits::default();
        self.data_range.check("/data_range", now, &mut misfits);
        if self.rows == 0 {
            misfits.add("/rows", "is 0: there is nothing to train on");
        }
        if self.files.len() > FILES {
            misfits.add("/files", format!("names more than {FILES} files"));
        }
        if self.symbols.len() > SYMBOLS {
            misfits.add("/symbols", format!("names more than {SYMBOLS} symbols"));
        }
        for (place, symbol) in self.symbols.iter().take(SYMBOLS).enumerate() {
            misfits.word(below("/symbols", place), symbol, 64);
        }
        misfits.none(self)
    }
}
