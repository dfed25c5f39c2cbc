use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{JobId, JobKind, JobStep, Program, Trigger};
use crate::domain::model::{ModelId, VersionName};
use crate::domain::time::Micros;

/// Where a job stands. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for a worker, or for its time.
    Pending,
    /// A worker has it and has not begun.
    Leased,
    /// A worker is at one of its steps.
    Running,
    /// Its worker is not heard of, and its processes may be alive.
    Lost,
    /// Everything was done.
    Completed,
    /// It came to nothing; [`Job::failure`] says why.
    Failed,
    /// Somebody called it off.
    Cancelled,
}

impl JobState {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Leased, Self::Running, Self::Lost, Self::Completed, Self::Failed, Self::Cancelled];

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Lost => "lost",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a worker has it, or may have: it takes one of the places.
    pub fn is_held(self) -> bool {
        matches!(self, Self::Leased | Self::Running | Self::Lost)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What goes first. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When nothing else is to be done.
    Low,
    /// What the scheduler asks for.
    Normal,
    /// What somebody waits for.
    High,
}

/// A word that is no priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use low, normal or high")]
pub struct BadPriority;

impl Priority {
    /// Every one, what goes last first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// As API, commands and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl FromStr for Priority {
    type Err = BadPriority;

    fn from_str(text: &str) -> Result<Self, BadPriority> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text).ok_or(BadPriority)
    }
}

/// Who runs a job.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Lease {
    /// The worker's name.
    pub worker: String,
    /// Which worker of that name ([`super::LeaseRequest::instance`]).
    pub instance: String,
    /// Its machine.
    pub host: String,
    /// How long it was told that it may go on without a word of ours.
    pub seconds: u32,
    /// Since when.
    pub at: Micros,
    /// When it was last heard of, for people: whether it is lost is measured without the clock.
    pub heard_at: Micros,
    /// What its program says of how far it is, 0 to 1.
    pub progress: Option<f32>,
    /// In its words.
    pub message: String,
    /// When the progress last moved, for people.
    pub moved_at: Micros,
    /// Since when it is lost, for people.
    pub lost_at: Option<Micros>,
}

/// Somebody called it off.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    #[serde(with = "crate::domain::time::rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
}

/// Whose fault it is that a job came to nothing. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The machine's or the connection's: the worker was lost, a disk was full, the program could not be started. It is
    /// tried again.
    Infrastructure,
    /// The program ended with an exit code that is not 0.
    Program,
    /// The program was killed by a signal that we did not send.
    Signal,
    /// It took more memory than it may.
    OutOfMemory,
    /// It went on for longer than it may.
    TimeLimit,
    /// It did not say for too long that it goes on.
    NoProgress,
    /// What it answered breaks the contract of docs/ADAPTERS.md.
    Answer,
    /// The registry did not take what it made.
    Registry,
    /// No worker knows how to do it, or the configuration forbids it.
    Configuration,
}

impl FailureKind {
    /// Whether the same again may come out otherwise.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Infrastructure)
    }
}

/// Why a job, or a step, came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// In words: what, where, and what to do.
    pub why: String,
}

/// The longest reason that is kept, in characters: it stands in rows, lists and logs, and may quote what a program wrote.
const WHY_CHARS: usize = 2_000;

impl Failure {
    /// With its reason in one line that is not endless.
    pub fn clipped(&self) -> Self {
        let mut why: String = self.why.chars().take(WHY_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if self.why.chars().nth(WHY_CHARS).is_some() {
            why.push('…');
        }
        Self { kind: self.kind, why }
    }
}

/// What a program took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The most memory, in bytes.
    pub memory_peak: Option<u64>,
    /// Processor time, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Bytes that it wrote to standard output and standard error.
    pub output_bytes: u64,
}

/// How a step ended. The stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum StepOutcome {
    /// It is done: a retry goes on behind it.
    Done,
    /// It came to nothing.
    Failed(Failure),
    /// It was called off, or its worker was lost.
    Ended,
}

/// One try of one step, journaled. Newer tries stand behind older ones.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StepRecord {
    /// Which step; none for a hook's one.
    pub step: Option<JobStep>,
    /// Under which lease; 0 where it was taken over from the job that this one does again.
    pub epoch: u64,
    /// Where it was done, or ours if the daemon did it itself.
    pub worker: Option<String>,
    /// When it began.
    pub began_at: Micros,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// SHA-256 over everything that it depends on: what it was asked, the program's command, the outputs before it. A
    /// finished step counts for a retry only where that is the same.
    pub inputs: [u8; 32],
    /// How it ended.
    pub outcome: Option<StepOutcome>,
    /// The worker still had what the same step with the same inputs left, and did not run it again.
    pub reused: bool,
    /// What it took.
    pub resources: Resources,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For which model: at most one job of a model is held at a time.
    pub model: ModelId,
    /// What goes first.
    pub priority: Priority,
    /// Why.
    pub trigger: Trigger,
    /// Who or what asked for it.
    pub triggered_by: String,
    /// What it was asked for upon, in words.
    pub evidence: String,
    /// When.
    pub created_at: Micros,
    /// The failed one that it does again.
    pub retry_of: Option<JobId>,
    /// The first of its chain of retries, itself where it is none: whose directory workers use, so that a retry finds what
    /// is there.
    pub root: JobId,
    /// Where it stands.
    pub state: JobState,
    /// How often it was leased; what is said under an older one is refused.
    pub epoch: u64,
    /// Who has it.
    pub lease: Option<Lease>,
    /// How often it failed through no fault of its program.
    pub setbacks: u32,
    /// It is not begun before.
    pub not_before: Option<Micros>,
    /// Somebody called it off.
    pub cancel: Option<Cancel>,
    /// What was done, in order.
    pub steps: Vec<StepRecord>,
    /// The version that it registered.
    pub version: Option<VersionName>,
    /// When its first worker began.
    pub started_at: Option<Micros>,
    /// When it was over.
    pub ended_at: Option<Micros>,
    /// Why it came to nothing; of a pending one, what happened the last time.
    pub failure: Option<Failure>,
}

/// Why a pending job is not begun, in the order in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Waiting {
    /// It failed through no fault of its program and is tried again later.
    Backoff {
        /// From when on.
        #[serde(with = "crate::domain::time::rfc3339")]
        #[schemars(with = "Micros")]
        until: Micros,
    },
    /// Another job of its model is held.
    SameModel {
        /// Which.
        job: JobId,
    },
    /// As many are held as may be.
    Places {
        /// How many may.
        most: u32,
    },
    /// No worker that was heard of lately has all programs that it still needs.
    NoWorker {
        /// Which program is lacking.
        program: Program,
    },
    /// What it trained is at a worker that is not heard of, and is waited for: others would have to train it again.
    FilesAt {
        /// Which worker.
        worker: String,
    },
    /// Others go first.
    Queue {
        /// How many.
        ahead: u32,
    },
}
