use std::collections::BTreeMap;
use std::time::Duration;

use super::clocks::WorkerSeen;
use super::{JobError, Jobs};
use crate::domain::job::{Concern, Finished, Job, JobId, JobState, OpenJob, Program, Refusal, Waiting};
use crate::domain::model::{ArtifactPath, Digest};
use crate::store::{JobCounts, JobFilter, StoreError};

/// Which jobs, and which page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Which.
    pub filter: JobFilter,
    /// Those that were asked for before this one.
    pub before: Option<JobId>,
    /// How many at most.
    pub limit: usize,
}

/// How jobs are, all in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How many stand where.
    pub counts: JobCounts,
    /// How many of the pending ones only lack somebody who runs them.
    pub wanting: u32,
    /// How many workers are heard of.
    pub workers: usize,
    /// What somebody should look at, the gravest first.
    pub concerns: Vec<Concern>,
}

/// How long a job may lack a worker before somebody should look: workers start after us, and come back after a moment.
const UNSERVED: Duration = Duration::from_secs(60);

impl Jobs {
    /// One job.
    pub fn get(&self, id: JobId) -> Result<Job, JobError> {
        self.store.job(id)?.ok_or(JobError::NoJob(id))
    }

    /// Jobs that fit, newest first; and where to go on, if there may be more.
    pub fn list(&self, query: &JobQuery) -> Result<(Vec<Job>, Option<JobId>), JobError> {
        Ok(self.store.jobs(&query.filter, query.before, query.limit)?)
    }

    /// Refuses a file that the job's training did not answer with: a version is what was trained, and nothing besides.
    pub fn awaits(&self, job: &Job, path: &ArtifactPath, sha256: Digest) -> Result<(), JobError> {
        let trained = self.store.job_result(job.id, Program::Train)?;
        if trained.is_some_and(|trained| trained.artifacts.get(path.as_str()) == Some(&sha256)) {
            return Ok(());
        }
        let why = "what was trained has no such file, or one with other content";
        Err(Refusal::State { job: job.id, state: job.state, why }.into())
    }

    /// What a program of a job answered, while it is kept.
    pub fn result(&self, id: JobId, program: Program) -> Result<Option<Finished>, JobError> {
        Ok(self.store.job_result(id, program)?)
    }

    /// How many jobs stand where.
    pub fn counts(&self) -> Result<JobCounts, JobError> {
        Ok(self.store.job_counts()?)
    }

    /// Why a pending job is not begun; none where it is not pending.
    pub fn waiting(&self, job: &Job) -> Result<Option<Waiting>, JobError> {
        if job.state != JobState::Pending {
            return Ok(None);
        }
        Ok(self.all_waiting()?.remove(&job.id))
    }

    /// Why each pending job is not begun.
    pub fn all_waiting(&self) -> Result<BTreeMap<JobId, Waiting>, JobError> {
        Ok(self.why(&self.store.open_jobs()?)?)
    }

    /// The workers that were heard of since the daemon started, by name.
    pub fn workers(&self) -> Result<Vec<WorkerSeen>, JobError> {
        Ok(self.clocks()?.workers().cloned().collect())
    }

    /// How jobs are, all in all. What is remembered in memory is made to agree with the file on that occasion.
    pub fn survey(&self) -> Result<Survey, JobError> {
        let open = {
            let _order = self.in_order();
            let open = self.store.open_jobs()?;
            self.clocks()?.agree(&open);
            open
        };
        let counts = self.counts()?;
        let wanting = self.with_queue(&open, |queue| queue.wanting())?;
        let workers = self.clocks()?.workers().filter(|worker| worker.is_here()).count();
        Ok(Survey { concerns: self.concerns(&open, &counts)?, counts, wanting, workers })
    }

    fn concerns(&self, open: &[OpenJob], counts: &JobCounts) -> Result<Vec<Concern>, StoreError> {
        let waiting = self.why(open)?;
        let mut concerns: Vec<_> = self.unserved(open, &waiting)?.into_iter().collect();
        let most = self.config.waiting;
        concerns.extend((open.len() as u64 >= u64::from(most)).then_some(Concern::Full { most }));
        let lost = open.iter().find(|job| job.state == JobState::Lost);
        concerns.extend(lost.map(|job| Concern::Lost {
            job: job.id,
            worker: job.worker.clone().unwrap_or_default(),
            others: counts.of(JobState::Lost).saturating_sub(1),
        }));
        let kept = |job: &OpenJob| match waiting.get(&job.id) {
            Some(Waiting::FilesAt { worker }) => Some(Concern::FilesAt { job: job.id, worker: worker.clone() }),
            _ => None,
        };
        concerns.extend(open.iter().find_map(kept));
        Ok(concerns)
    }

    /// The first job that nobody could do for some time.
    fn unserved(&self, open: &[OpenJob], waiting: &BTreeMap<JobId, Waiting>) -> Result<Option<Concern>, StoreError> {
        let lacking = |job: &OpenJob| match waiting.get(&job.id) {
            Some(Waiting::NoWorker { program }) => Some((job.id, job.model_type, *program)),
            _ => None,
        };
        let first = open.iter().find_map(lacking);
        let mut clocks = self.clocks()?;
        let here = || clocks.workers().filter(|worker| worker.is_here());
        // After our start a worker may be at a job for hours before it says what else it could do.
        let (workers, known) = (here().count(), here().all(|worker| worker.asked));
        let since = clocks.unserved(first.is_some() && known);
        Ok(first.filter(|_| since >= UNSERVED).map(|(job, model_type, program)| Concern::Unserved {
            job,
            model_type,
            program,
            since,
            workers,
        }))
    }

    fn why(&self, open: &[OpenJob]) -> Result<BTreeMap<JobId, Waiting>, StoreError> {
        let here: Vec<_> = self.clocks()?.workers().filter(|worker| worker.is_here()).map(WorkerSeen::asking).collect();
        self.with_queue(open, |queue| queue.waiting(&here))
    }
}
