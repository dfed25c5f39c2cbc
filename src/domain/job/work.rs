//! What worker and daemon tell each other (`/api/work/…`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Failure, HookRun, JobId, Program, Resources, Trigger};
use crate::domain::model::{Digest, ModelId, ModelType, VersionName};

/// A job that a worker has, or finds after its restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Which.
    pub job: JobId,
    /// Under which lease.
    pub epoch: u64,
}

/// A worker asks for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseRequest {
    /// The worker's name: the same after a restart, and no other worker's.
    pub worker: String,
    /// Random, and made once for the worker's directory: two workers under one name are told from each other by it. Neither
    /// may take the other's jobs for dead.
    pub instance: String,
    /// Its machine.
    pub host: String,
    /// Which programs it has, for each model type.
    pub programs: BTreeMap<ModelType, Vec<Program>>,
    /// Whether it runs the promotion hook.
    pub hook: bool,
    /// What it has already; a job of its own that is missing here has no process any more.
    pub held: Vec<Held>,
    /// The boot of its machine, and when it asks: in milliseconds since then. Of two requests the older one says nothing of
    /// what the worker has, even if it comes later.
    pub boot: String,
    /// See `boot`.
    pub sent: u64,
    /// How long the daemon may wait for work to come, in seconds; at most 25.
    pub wait_seconds: u32,
}

/// Work for a worker: the next program of a job. It asks for a lease, and is given the next program with the answer to
/// each report, until the job is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// The job.
    pub job: JobId,
    /// The lease; whatever is said of the job names it.
    pub epoch: u64,
    /// The model.
    pub model: ModelId,
    /// What to run.
    pub program: Program,
    /// The job whose directory is used: the first of a chain of retries.
    pub root: JobId,
    /// SHA-256 over what the program is asked, but for the job's number and who asked for it. A worker that still has in
    /// that directory what the program left the last time, whole, under the same inputs and the same command, reports that
    /// again ([`Report::reused`]) and runs nothing. So nothing is trained twice because a report got lost.
    pub inputs: Digest,
    /// What the program finds in `job.json`, but for what only the worker knows (directories).
    pub request: AdapterRequest,
    /// The daemon takes the job for lost this many seconds after it last heard of it. A worker that cannot be sure that the
    /// daemon is merely down (it speaks over a network) has ended every process of the job before that.
    pub lease_seconds: u32,
}

/// What an adapter is asked (`job.json`, docs/ADAPTERS.md): SPEC §4.6, and what the steps before it answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdapterRequest {
    /// The version of this contract: 1.
    pub contract: u32,
    /// The job.
    pub job_id: JobId,
    /// Which program is called.
    pub program: Program,
    /// The model.
    pub model_id: ModelId,
    /// What kind of program the model is.
    pub model_type: ModelType,
    /// `BTCUSDT`; null for a model of several.
    pub symbol: Option<String>,
    /// `1h`.
    pub timeframe: String,
    /// The market's regime that it is for.
    pub regime: Option<String>,
    /// Days of data.
    pub dataset_span_days: u32,
    /// Parameters, as they were asked for.
    pub training_params: Option<Value>,
    /// Which features.
    pub feature_config: Option<Value>,
    /// Why it is trained.
    pub trigger_reason: Trigger,
    /// Who or what asked.
    pub triggered_by: String,
    /// The version that it goes on from.
    pub parent_version: Option<VersionName>,
    /// The candidate that it tries.
    pub strategy_candidate_id: Option<String>,
    /// The version that was registered, once one was (evaluate).
    pub version: Option<VersionName>,
    /// What the hook tells of (hook).
    pub hook: Option<HookRun>,
    /// What the programs before it answered, by name: `data`, `train`.
    pub results: BTreeMap<String, Value>,
    /// The files of the version, by path, with their contents: what `evaluate` reads.
    pub artifacts: BTreeMap<String, Digest>,
}

/// A worker says that it is at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beat {
    /// The lease.
    pub epoch: u64,
    /// What its program says of how far it is, 0 to 1.
    pub progress: Option<f32>,
    /// In its words.
    pub message: Option<String>,
    /// What it has taken so far.
    pub resources: Resources,
}

/// How far the daemon's copy of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogAnswer {
    /// The offset from which on it is wanted.
    pub next: u64,
}

/// What a worker is told then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeatAnswer {
    /// Why the job was called off, if it was: its processes are to be ended, and that is to be reported.
    pub cancelled: Option<String>,
    /// As in the assignment.
    pub lease_seconds: u32,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum StepEnd {
    /// It answered, and no process of it is left.
    Done(Finished),
    /// It came to nothing, and no process of it is left.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It was called off, and no process of it is left.
    Cancelled,
    /// What is left of it from before the worker's restart is ended, and how it would have gone nobody knows.
    Lost,
}

/// What a program answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// Its `result.json`.
    pub result: Value,
    /// The files that it names (train): they are to be sent before the next program.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Digest>,
}

/// A worker reports the end of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The lease.
    pub epoch: u64,
    /// Which program.
    pub program: Program,
    /// SHA-256 in hexadecimal over what only the worker knows of the step: the program's command.
    pub inputs: Digest,
    /// How it ended.
    pub end: StepEnd,
    /// Whether that is from before, and it was not run again.
    #[serde(default)]
    pub reused: bool,
    /// What it took.
    pub resources: Resources,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum ReportAnswer {
    /// Send these files of the version (`PUT /api/work/jobs/{id}/artifacts/{path}`), then ask again
    /// (`POST /api/work/jobs/{id}/continue`).
    Upload {
        /// The version.
        version: VersionName,
        /// Paths that are missing.
        paths: Vec<String>,
    },
    /// Run the next program.
    Run {
        /// What.
        assignment: Box<Assignment>,
    },
    /// The job is over, or given back: nothing is left to do.
    Over {
        /// How.
        ending: Ending,
    },
}

/// How it went on with a job that its worker is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is completed.
    Completed,
    /// It failed.
    Failed,
    /// It was called off.
    Cancelled,
    /// It is tried again later.
    Requeued,
}

/// What a worker is refused for. It stands in the refusal, so that nobody who stands between worker and daemon is taken for
/// the daemon: a proxy that knows no way to it says 404 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The job is not its any more, or there is none: it ends what it has of it.
    Stale,
    /// Something else: the same again is refused again.
    Refused,
}

/// A worker asks what comes next: after its uploads, and after its restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Continued {
    /// The lease.
    pub epoch: u64,
}
