use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::job::AdapterRequest;

/// What a program finds in its working directory as `job.json`. It may come to hold more: programs pass over what they do
/// not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobFile {
    /// What is asked.
    #[serde(flatten)]
    pub request: AdapterRequest,
    /// Where things are on this machine.
    pub directories: Directories,
}

/// Where things are on the worker's machine; whole paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Directories {
    /// The program's own, its working directory: `result.json`, `progress.json` and the files that it names go here.
    pub work: String,
    /// Where the `data` program left its files (train, evaluate).
    pub data: Option<String>,
    /// The version's files, each under its path (evaluate).
    pub artifacts: Option<String>,
}
