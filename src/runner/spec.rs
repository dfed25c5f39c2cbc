use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::job::{JobId, Program};
use crate::domain::time::Micros;

/// What to run, and how far it may go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// For which job.
    pub job: JobId,
    /// Under which lease.
    pub epoch: u64,
    /// What it is.
    pub program: Program,
    /// The program and its arguments; without a slash it is looked for in `PATH`.
    pub command: Vec<String>,
    /// Its working directory and its `HOME`, which exists; temporary files go to `tmp` in it.
    pub work: PathBuf,
    /// The directory of the log that its output goes to, behind what stands there.
    pub log: PathBuf,
    /// Bytes of that log that are kept.
    pub log_bytes: u64,
    /// What the program's environment has besides `PATH`, `LC_ALL`, `HOME` and `TMPDIR`, and instead of them.
    pub environment: BTreeMap<String, String>,
    /// Files with secrets: for `NAME` the environment has `NAME_FILE` with the path. We do not read them.
    pub secrets: BTreeMap<String, PathBuf>,
    /// How far it may go.
    pub limits: Limits,
}

/// How far a program and everything that it starts may go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<u32>,
    /// Bytes of a file that it writes.
    pub file_bytes: Option<u64>,
    /// Open files of a process.
    pub open_files: Option<u64>,
    /// How long it may go on.
    pub time: Option<Duration>,
    /// How long its `progress.json` may stay as it is, or be missing.
    pub no_progress: Option<Duration>,
    /// How long it has to end after SIGTERM.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: None,
            cpus: None,
            tasks: None,
            file_bytes: None,
            open_files: None,
            time: None,
            no_progress: None,
            grace: Duration::from_secs(30),
        }
    }
}

/// A run as its directory has it: `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// What to run.
    pub(super) spec: Spec,
    /// What its processes have in their environment and nobody else has.
    pub(super) cookie: String,
    /// The boot of the machine in which it was begun.
    pub(super) boot: String,
    /// When it was begun, by the clock.
    pub(super) began_at: Micros,
    /// Its control group, if it gets one.
    pub(super) group: Option<PathBuf>,
}
