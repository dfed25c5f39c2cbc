use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::account::hex;
use crate::domain::job::{Failure, Job, JobKind, JobStep, Resources, StepOutcome, StepRecord};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It was not begun.
    NotBegun,
    /// It is under way.
    Running,
    /// It is done.
    Done,
    /// It came to nothing.
    Failed,
    /// It was called off, or its worker was lost.
    Ended,
}

impl StepState {
    /// As pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotBegun => "not begun",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

/// How a try of a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TryOutcome {
    /// It is done.
    Done,
    /// It came to nothing.
    Failed,
    /// It was called off, or its worker was lost.
    Ended,
}

/// One try of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TryAnswer {
    /// Under which lease; 0 where it was taken over from the job that this one does again.
    pub epoch: u64,
    /// The worker; null where the daemon did it itself.
    pub worker: Option<String>,
    /// When it began.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub began_at: Micros,
    /// When it ended.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub ended_at: Option<Micros>,
    /// How long it took, or takes so far, in milliseconds.
    pub duration_ms: u64,
    /// How it ended; null while it is under way.
    pub outcome: Option<TryOutcome>,
    /// Why it came to nothing.
    pub failure: Option<Failure>,
    /// SHA-256 over everything that it depends on: a finished step counts for a retry where that is the same.
    pub inputs: String,
    /// Whether the worker still had what the same program had left under the same inputs, and did not run it again.
    pub reused: bool,
    /// What it took.
    pub resources: Resources,
}

impl TryAnswer {
    fn of(record: &StepRecord, now: Micros) -> Self {
        let (outcome, failure) = match &record.outcome {
            None => (None, None),
            Some(StepOutcome::Done) => (Some(TryOutcome::Done), None),
            Some(StepOutcome::Failed(failure)) => (Some(TryOutcome::Failed), Some(failure.clone())),
            Some(StepOutcome::Ended) => (Some(TryOutcome::Ended), None),
        };
        Self {
            epoch: record.epoch,
            worker: record.worker.clone(),
            began_at: record.began_at,
            ended_at: record.ended_at,
            duration_ms: record.ended_at.unwrap_or(now).millis().saturating_sub(record.began_at.millis()),
            outcome,
            failure,
            inputs: hex(&record.inputs),
            reused: record.reused,
            resources: record.resources,
        }
    }
}

/// One of the ten steps of a training job, or a hook's one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepAnswer {
    /// 1 to 10; null for a hook's.
    pub number: Option<u8>,
    /// Its name; null for a hook's.
    pub step: Option<JobStep>,
    /// Where it stands.
    pub state: StepState,
    /// How long its tries took together, in milliseconds; null where there was none.
    pub duration_ms: Option<u64>,
    /// Its tries, oldest first.
    pub tries: Vec<TryAnswer>,
}

impl StepAnswer {
    fn of(job: &Job, step: Option<JobStep>, now: Micros) -> Self {
        let records = job.steps.iter().filter(|record| record.step == step);
        // What is over is not under way, whatever its last record says: it was cut off in the middle.
        let until = job.ended_at.filter(|_| job.state.is_over()).unwrap_or(now);
        let tries: Vec<_> = records.map(|record| TryAnswer::of(record, until)).collect();
        let state = match tries.last().map(|last| last.outcome) {
            None => StepState::NotBegun,
            Some(Some(TryOutcome::Done)) => StepState::Done,
            Some(Some(TryOutcome::Failed)) => StepState::Failed,
            Some(Some(TryOutcome::Ended)) => StepState::Ended,
            Some(None) if job.state.is_held() => StepState::Running,
            Some(None) => StepState::Ended,
        };
        let duration_ms = (!tries.is_empty()).then(|| tries.iter().map(|one| one.duration_ms).sum());
        Self { number: step.map(JobStep::number), step, state, duration_ms, tries }
    }
}

/// Every step of a job, in order, with what became of it.
pub fn timeline(job: &Job, now: Micros) -> Vec<StepAnswer> {
    match &job.kind {
        JobKind::Training(_) => JobStep::ALL.into_iter().map(|step| StepAnswer::of(job, Some(step), now)).collect(),
        JobKind::Hook(_) => vec![StepAnswer::of(job, None, now)],
    }
}

/// What all tries took together: the most memory of any, the processor time and the output of all.
pub(super) fn resources(job: &Job) -> Resources {
    // What was taken over was taken before.
    let each = || job.steps.iter().filter(|record| record.epoch > 0 && !record.reused).map(|record| record.resources);
    let cpu: Vec<u64> = each().filter_map(|taken| taken.cpu_ms).collect();
    Resources {
        memory_peak: each().filter_map(|taken| taken.memory_peak).max(),
        cpu_ms: (!cpu.is_empty()).then(|| cpu.iter().fold(0, |sum: u64, one| sum.saturating_add(*one))),
        output_bytes: each().fold(0, |sum: u64, taken| sum.saturating_add(taken.output_bytes)),
    }
}
