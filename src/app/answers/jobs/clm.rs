//! The predecessor's answers about jobs (SPEC §4.6), name for name: programs depend on them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::answers::QueryError;
use crate::app::answers::query::{filled, limit};
use crate::app::answers::registry::ClmJobCounts;
use crate::domain::job::{Job, JobId, JobKind, JobState, JsonText, Training, Trigger};
use crate::domain::model::{ModelId, ModelType, VersionName};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::{JobCounts, JobFilter, Store};

/// Where a job stands, in the predecessor's four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClmJobStatus {
    /// It waits.
    Pending,
    /// A worker has it.
    InProgress,
    /// Everything was done.
    Completed,
    /// It came to nothing, or was called off.
    Failed,
}

/// A word that is none of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use pending, in_progress, completed or failed")]
pub struct BadClmJobStatus;

impl ClmJobStatus {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Pending, Self::InProgress, Self::Completed, Self::Failed];

    /// As the predecessor wrote it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

impl From<JobState> for ClmJobStatus {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Pending => Self::Pending,
            JobState::Leased | JobState::Running | JobState::Lost => Self::InProgress,
            JobState::Completed => Self::Completed,
            JobState::Failed | JobState::Cancelled => Self::Failed,
        }
    }
}

impl fmt::Display for ClmJobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ClmJobStatus {
    type Err = BadClmJobStatus;

    fn from_str(text: &str) -> Result<Self, BadClmJobStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(BadClmJobStatus)
    }
}

impl From<&JobCounts> for ClmJobCounts {
    fn from(counts: &JobCounts) -> Self {
        let mut figures = Self::default();
        for state in JobState::ALL {
            let count = usize::try_from(counts.trainings(state)).unwrap_or(usize::MAX);
            figures.total += count;
            *match ClmJobStatus::from(state) {
                ClmJobStatus::Pending => &mut figures.pending,
                ClmJobStatus::InProgress => &mut figures.in_progress,
                ClmJobStatus::Completed => &mut figures.completed,
                ClmJobStatus::Failed => &mut figures.failed,
            } += count;
        }
        figures
    }
}

/// What is said to who asks for a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmTrain {
    /// The job's id.
    pub job_id: JobId,
    /// What kind of program the model is.
    pub model_type: ModelType,
    /// `pending`.
    pub status: ClmJobStatus,
    /// `manual`.
    pub trigger_reason: Trigger,
    /// Who it was, by their credential.
    pub triggered_by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
}

impl ClmTrain {
    /// Of a job that was asked for; none where it trains nothing.
    pub fn of(job: &Job) -> Option<Self> {
        let training = training(job)?;
        Some(Self {
            job_id: job.id,
            model_type: training.name.model_type,
            status: job.state.into(),
            trigger_reason: job.trigger,
            triggered_by: job.triggered_by.clone(),
            created_at: job.created_at,
        })
    }
}

/// Which jobs, as the predecessor's query says it. What it has besides is passed over, as it always was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClmJobsQuery {
    /// With this status.
    #[serde(deserialize_with = "filled")]
    pub status: Option<ClmJobStatus>,
    /// How many at most, from 1 to 10,000; 50 where nothing is said.
    #[serde(deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: Option<usize>,
}

/// The most jobs of a list that has no pages.
const MOST: usize = 10_000;

/// One job of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmJob {
    /// Its id.
    pub job_id: JobId,
    /// What kind of program the model is.
    pub model_type: ModelType,
    /// Where it stands.
    pub status: ClmJobStatus,
    /// Why it was asked for.
    pub trigger_reason: Trigger,
    /// Who or what asked.
    pub triggered_by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub triggered_at: Micros,
    /// When its first worker began.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub started_at: Option<Micros>,
    /// When it was over.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub completed_at: Option<Micros>,
    /// Why it came to nothing, or was called off.
    pub error_message: Option<String>,
}

impl ClmJob {
    /// Of a job; none where it trains nothing.
    pub fn of(job: &Job) -> Option<Self> {
        let training = training(job)?;
        Some(Self {
            job_id: job.id,
            model_type: training.name.model_type,
            status: job.state.into(),
            trigger_reason: job.trigger,
            triggered_by: job.triggered_by.clone(),
            triggered_at: job.created_at,
            started_at: job.started_at,
            completed_at: job.ended_at,
            error_message: error_message(job),
        })
    }
}

/// Training jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmJobs {
    /// The jobs.
    pub jobs: Vec<ClmJob>,
    /// How many are in this list.
    pub total: usize,
}

impl ClmJobs {
    /// Looks for them.
    pub fn find(store: &Store, query: &ClmJobsQuery) -> Result<Self, QueryError> {
        let most = limit(query.limit, MOST)?;
        let of = |status| JobState::ALL.into_iter().filter(|state| ClmJobStatus::from(*state) == status).collect();
        let states = query.status.map(of).unwrap_or_default();
        let filter = JobFilter { states, trainings: true, ..JobFilter::default() };
        let (mut jobs, mut before) = (Vec::new(), None);
        loop {
            let (found, next) = store.jobs(&filter, before, most - jobs.len())?;
            jobs.extend(found.iter().filter_map(ClmJob::of));
            before = next;
            if before.is_none() || jobs.len() >= most {
                break;
            }
        }
        Ok(Self { total: jobs.len(), jobs })
    }
}

/// The whole job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmJobDetail {
    /// Its id.
    pub id: JobId,
    /// What kind of program the model is.
    pub model_type: ModelType,
    /// The symbol; null for a model of several.
    pub symbol: Option<String>,
    /// `1h`.
    pub timeframe: String,
    /// The market's regime that the model is for.
    pub regime: Option<String>,
    /// Where it stands.
    pub status: ClmJobStatus,
    /// Why it was asked for.
    pub trigger_reason: Trigger,
    /// Who or what asked.
    pub triggered_by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub triggered_at: Micros,
    /// When.
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
    pub completed_at: Option<Micros>,
    /// Days of data.
    pub dataset_span_days: u32,
    /// Parameters, as they were asked for.
    pub training_params: Option<Value>,
    /// Which features.
    pub feature_config: Option<Value>,
    /// The version that it goes on from.
    pub parent_version: Option<VersionName>,
    /// The candidate that it tries.
    pub strategy_candidate_id: Option<String>,
    /// The model.
    pub model_id: ModelId,
    /// The version that it registered.
    pub version: Option<VersionName>,
    /// Why it came to nothing, or was called off.
    pub error_message: Option<String>,
}

impl ClmJobDetail {
    /// Of a job; none where it trains nothing.
    pub fn of(job: &Job) -> Option<Self> {
        let training = training(job)?;
        Some(Self {
            id: job.id,
            model_type: training.name.model_type,
            symbol: training.name.symbol.as_ref().map(|symbol| symbol.to_uppercase()),
            timeframe: training.name.timeframe.clone(),
            regime: training.name.regime.clone(),
            status: job.state.into(),
            trigger_reason: job.trigger,
            triggered_by: job.triggered_by.clone(),
            triggered_at: job.created_at,
            created_at: job.created_at,
            started_at: job.started_at,
            completed_at: job.ended_at,
            dataset_span_days: training.span_days,
            training_params: training.params.as_ref().map(JsonText::value),
            feature_config: training.feature_config.as_ref().map(JsonText::value),
            parent_version: training.parent.clone(),
            strategy_candidate_id: training.candidate.clone(),
            model_id: job.model.clone(),
            version: job.version.clone(),
            error_message: error_message(job),
        })
    }
}

fn training(job: &Job) -> Option<&Training> {
    match &job.kind {
        JobKind::Training(training) => Some(training),
        JobKind::Hook(_) => None,
    }
}

/// Why it came to nothing. What only happened on the way, and was tried again, is no error of the job's.
fn error_message(job: &Job) -> Option<String> {
    match job.state {
        JobState::Failed => job.failure.as_ref().map(|failure| failure.why.clone()),
        JobState::Cancelled => Some(
            job.cancel
                .as_ref()
                .map_or_else(String::new, |cancel| format!("cancelled by {}: {}", cancel.by, cancel.why)),
        ),
        _ => None,
    }
}
