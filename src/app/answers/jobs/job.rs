use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::job::{Cancel, Failure, Job, JobId, JobKind, JobState, JobStep, Priority, Trigger, Waiting};
use crate::domain::model::{ModelId, ModelType, VersionName};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// It trains a version.
    Training,
    /// It runs the promotion hook.
    Hook,
}

/// The step of a training job that is under way, or that was the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepNow {
    /// 1 to 10.
    pub number: u8,
    /// Of how many: 10.
    pub of: u8,
    /// Its name.
    pub step: JobStep,
    /// How often it was begun.
    pub tries: u32,
}

/// Why a pending job is not begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingAnswer {
    /// For programs.
    #[serde(flatten)]
    pub why: Waiting,
    /// For people.
    pub in_words: String,
}

impl From<Waiting> for WaitingAnswer {
    fn from(why: Waiting) -> Self {
        Self { in_words: waiting_for(&why), why }
    }
}

/// What a pending job waits for, in words.
pub fn waiting_for(why: &Waiting) -> String {
    match why {
        Waiting::Backoff { until } => format!("it is tried again at {}", until.rfc3339()),
        Waiting::SameModel { job } => format!("{job}, of the same model, is not over"),
        Waiting::Places { most: 1 } => "the one place for a job is taken".to_owned(),
        Waiting::Places { most } => format!("all {most} places for jobs are taken"),
        Waiting::NoWorker { program } => {
            format!("no worker that was heard of lately has the program {}", program.as_str())
        }
        Waiting::FilesAt { worker } => {
            format!("what it trained is at {worker} alone, which is waited for: others would have to train it again")
        }
        Waiting::Queue { ahead: 0 } => "it is the next one, as soon as a worker asks".to_owned(),
        Waiting::Queue { ahead: 1 } => "1 other goes first".to_owned(),
        Waiting::Queue { ahead } => format!("{ahead} others go first"),
    }
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobAnswer {
    /// Its id.
    pub job_id: JobId,
    /// What it does.
    pub kind: WorkKind,
    /// The model.
    pub model_id: ModelId,
    /// What kind of program the model is; null for a hook.
    pub model_type: Option<ModelType>,
    /// The symbol; null for a model of several, and for a hook.
    pub symbol: Option<String>,
    /// `1h`; null for a hook.
    pub timeframe: Option<String>,
    /// The market's regime that the model is for.
    pub regime: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// The step that is under way or was the last one; null before the first, and for a hook.
    pub step: Option<StepNow>,
    /// What goes first.
    pub priority: Priority,
    /// Why it was asked for.
    pub trigger_reason: Trigger,
    /// Who or what asked.
    pub triggered_by: String,
    /// What it was asked for upon, in words.
    pub evidence: String,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When its first worker began.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub started_at: Option<Micros>,
    /// When it was over.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub ended_at: Option<Micros>,
    /// The job that it does again.
    pub retry_of: Option<JobId>,
    /// Who has it.
    pub worker: Option<String>,
    /// What its program says of how far it is, 0 to 1.
    pub progress: Option<f32>,
    /// In its words.
    pub message: Option<String>,
    /// Why it is not begun, if it is pending.
    pub waiting: Option<WaitingAnswer>,
    /// The version that it registered.
    pub version: Option<VersionName>,
    /// Why it came to nothing; of a pending one, what happened the last time.
    pub failure: Option<Failure>,
    /// Who called it off.
    pub cancel: Option<Cancel>,
}

impl JobAnswer {
    /// A job, and what it waits for.
    pub fn of(job: &Job, waiting: Option<Waiting>) -> Self {
        let (kind, name) = match &job.kind {
            JobKind::Training(training) => (WorkKind::Training, Some(&training.name)),
            JobKind::Hook(_) => (WorkKind::Hook, None),
        };
        let lease = job.lease.as_ref();
        Self {
            job_id: job.id,
            kind,
            model_id: job.model.clone(),
            model_type: name.map(|name| name.model_type),
            symbol: name.and_then(|name| name.symbol.clone()),
            timeframe: name.map(|name| name.timeframe.clone()),
            regime: name.and_then(|name| name.regime.clone()),
            state: job.state,
            step: step_now(job),
            priority: job.priority,
            trigger_reason: job.trigger,
            triggered_by: job.triggered_by.clone(),
            evidence: job.evidence.clone(),
            created_at: job.created_at,
            started_at: job.started_at,
            ended_at: job.ended_at,
            retry_of: job.retry_of,
            worker: lease.map(|lease| lease.worker.clone()),
            progress: lease.and_then(|lease| lease.progress),
            message: lease.map(|lease| lease.message.clone()).filter(|message| !message.is_empty()),
            waiting: waiting.map(WaitingAnswer::from),
            version: job.version.clone(),
            failure: job.failure.clone(),
            cancel: job.cancel.clone(),
        }
    }
}

fn step_now(job: &Job) -> Option<StepNow> {
    let step = job.steps.last()?.step?;
    let tries = job.steps.iter().filter(|record| record.step == Some(step)).count();
    let of = JobStep::ALL.len() as u8;
    Some(StepNow { number: step.number(), of, step, tries: u32::try_from(tries).unwrap_or(u32::MAX) })
}
