use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::steps::{resources, timeline};
use super::{JobAnswer, StepAnswer};
use crate::app::jobs::{JobError, Jobs};
use crate::app::registry::{Registry, RegistryError};
use crate::domain::job::{
    Finished, HookRun, Job, JobId, JobKind, JobState, JsonText, Lease, Program, Resources, Waiting,
};
use crate::domain::model::{EvaluationId, EvaluationKind, ModelId, ModelStatus, VersionName};
use crate::domain::time::{Micros, rfc3339};
use crate::store::Store;

/// Who has a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseAnswer {
    /// The worker.
    pub worker: String,
    /// Its machine.
    pub host: String,
    /// Since when.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub since: Micros,
    /// When it was last heard of.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub heard_at: Micros,
    /// When its progress last moved.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub moved_at: Micros,
}

impl From<&Lease> for LeaseAnswer {
    fn from(lease: &Lease) -> Self {
        Self {
            worker: lease.worker.clone(),
            host: lease.host.clone(),
            since: lease.at,
            heard_at: lease.heard_at,
            moved_at: lease.moved_at,
        }
    }
}

/// Another job that does the same again, or did it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedJob {
    /// Which.
    pub job_id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
}

impl From<&Job> for RelatedJob {
    fn from(job: &Job) -> Self {
        Self { job_id: job.id, state: job.state, created_at: job.created_at }
    }
}

/// What came of a training: where its version stands, and what its newest evaluation says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeAnswer {
    /// The version.
    pub version: VersionName,
    /// Where it stands.
    pub status: ModelStatus,
    /// Its newest evaluation.
    pub evaluation: Option<EvaluationId>,
    /// How it was evaluated.
    pub evaluation_type: Option<EvaluationKind>,
    /// Whether the plain gates let it.
    pub passed: Option<bool>,
    /// The score, 0 to 100.
    pub promotion_score: Option<f64>,
    /// The annual Sharpe ratio.
    pub sharpe: Option<f64>,
    /// What the plain gates found wrong; empty if nothing.
    pub failure_reason: String,
}

/// One job with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: JobAnswer,
    /// Days of data; null for a hook.
    pub dataset_span_days: Option<u32>,
    /// Parameters, as they were asked for.
    pub training_params: Option<Value>,
    /// Which features.
    pub feature_config: Option<Value>,
    /// The version that it goes on from.
    pub parent_version: Option<VersionName>,
    /// The candidate that it tries.
    pub strategy_candidate_id: Option<String>,
    /// What the hook tells of; null for a training.
    pub hook: Option<HookRun>,
    /// How often it was leased; each has a log of its own.
    pub epoch: u64,
    /// Who has it.
    pub lease: Option<LeaseAnswer>,
    /// How often in a row it failed through no fault of its program.
    pub setbacks: u32,
    /// It is not begun before.
    #[serde(with = "crate::domain::time::rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub not_before: Option<Micros>,
    /// Its steps, in order.
    pub steps: Vec<StepAnswer>,
    /// What all tries took together: the most memory of any, processor time and output of all.
    pub resources: Resources,
    /// Which programs answered (`…/results` has what), with the bytes of each answer.
    pub results: BTreeMap<String, u64>,
    /// What came of it; null where no version was registered.
    pub outcome: Option<OutcomeAnswer>,
    /// Jobs that it does again, the first of all first.
    pub earlier: Vec<RelatedJob>,
    /// Jobs that do it again, oldest first.
    pub later: Vec<RelatedJob>,
}

impl JobDetail {
    /// What the job itself says; what stands elsewhere is added by whoever calls.
    pub fn of(job: &Job, waiting: Option<Waiting>, now: Micros) -> Self {
        let training = match &job.kind {
            JobKind::Training(training) => Some(training),
            JobKind::Hook(_) => None,
        };
        Self {
            job: JobAnswer::of(job, waiting),
            dataset_span_days: training.map(|training| training.span_days),
            training_params: training.and_then(|training| training.params.as_ref()).map(JsonText::value),
            feature_config: training.and_then(|training| training.feature_config.as_ref()).map(JsonText::value),
            parent_version: training.and_then(|training| training.parent.clone()),
            strategy_candidate_id: training.and_then(|training| training.candidate.clone()),
            hook: match &job.kind {
                JobKind::Training(_) => None,
                JobKind::Hook(run) => Some(run.clone()),
            },
            epoch: job.epoch,
            lease: job.lease.as_ref().map(LeaseAnswer::from),
            setbacks: job.setbacks,
            not_before: job.not_before,
            steps: timeline(job, now),
            resources: resources(job),
            results: BTreeMap::new(),
            outcome: None,
            earlier: Vec::new(),
            later: Vec::new(),
        }
    }
}

/// Retries that are followed.
const CHAIN: usize = 50;

/// Jobs behind one that may be retries of it.
const BEHIND: usize = 200;

impl JobDetail {
    /// Looks a job up.
    pub fn find(jobs: &Jobs, store: &Store, registry: &Registry, id: JobId, now: Micros) -> Result<Self, JobError> {
        let job = jobs.get(id)?;
        let waiting = jobs.waiting(&job)?;
        Self::read(store, registry, &job, waiting, now)
    }

    /// The same with what is in the data file.
    pub fn read(
        store: &Store,
        registry: &Registry,
        job: &Job,
        waiting: Option<Waiting>,
        now: Micros,
    ) -> Result<Self, JobError> {
        let mut detail = Self::of(job, waiting, now);
        let sizes = store.job_results(job.id)?;
        detail.results = sizes.into_iter().map(|(program, size)| (program.as_str().to_owned(), size)).collect();
        let mut before = job.retry_of;
        while let Some(id) = before.take() {
            if let Some(earlier) = store.job(id)?.filter(|_| detail.earlier.len() < CHAIN) {
                detail.earlier.insert(0, RelatedJob::from(&earlier));
                before = earlier.retry_of;
            }
        }
        let behind = store.jobs_after(&job.model, job.id, BEHIND)?;
        detail.later = behind.iter().filter(|other| other.root == job.root).map(RelatedJob::from).collect();
        if let Some(version) = &job.version {
            detail.outcome = outcome(registry, &job.model, version, now)?;
        }
        Ok(detail)
    }
}

/// Where a version stands; none where it is not there, which a version of a job that was just begun may not be.
fn outcome(
    registry: &Registry,
    model: &ModelId,
    version: &VersionName,
    now: Micros,
) -> Result<Option<OutcomeAnswer>, RegistryError> {
    let found = match registry.version(model, version, now) {
        Ok(found) => found,
        Err(RegistryError::NoModel(_) | RegistryError::NoVersion(..)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let newest = registry.evaluations(model, version)?.into_iter().next();
    let newest = newest.as_ref();
    Ok(Some(OutcomeAnswer {
        version: version.clone(),
        status: found.status,
        evaluation: newest.map(|one| one.id),
        evaluation_type: newest.map(|one| one.kind),
        passed: newest.map(|one| one.passed),
        promotion_score: newest.map(|one| one.score),
        sharpe: newest.and_then(|one| one.figures.plain.sharpe_ratio).map(|figure| figure.value),
        failure_reason: newest.map_or_else(String::new, |one| one.failure_reason.clone()),
    }))
}

/// What the programs of a job answered, by name: `data`, `train`, `evaluate`, `hook`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobResults {
    /// The job.
    pub job_id: JobId,
    /// What each answered, and the files that it named.
    pub results: BTreeMap<String, Finished>,
}

impl JobResults {
    /// Those of one program, or of all.
    pub fn find(jobs: &Jobs, id: JobId, only: Option<Program>) -> Result<Self, JobError> {
        jobs.get(id)?;
        let mut results = BTreeMap::new();
        for program in Program::ALL.into_iter().filter(|program| only.is_none_or(|only| *program == only)) {
            results.extend(jobs.result(id, program)?.map(|finished| (program.as_str().to_owned(), finished)));
        }
        Ok(Self { job_id: id, results })
    }
}
