use std::collections::BTreeMap;
use std::time::Duration;

use super::clocks::WorkerSeen;
use super::{JobError, Jobs};
use crate::domain::job::{Finished, Job, JobId, JobState, OpenJob, Program, Refusal, Waiting};
use crate::domain::model::{ArtifactPath, Digest, ModelType};
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
    /// The first one that no worker can do.
    pub unserved: Option<Unserved>,
}

/// A job that no worker can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unserved {
    /// Which.
    pub job: JobId,
    /// The type of its model; none for a hook's.
    pub model_type: Option<ModelType>,
    /// What is lacking.
    pub program: Program,
    /// For how long, measured without the clock, some job has had nobody who could do it.
    pub since: Duration,
}

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
        let waiting = self.why(&open)?;
        let lacking = |job: &OpenJob| match waiting.get(&job.id) {
            Some(Waiting::NoWorker { program }) => Some((job.id, job.model_type, *program)),
            _ => None,
        };
        let first = open.iter().find_map(lacking);
        let since = self.clocks()?.unserved(first.is_some());
        let unserved = first.map(|(job, model_type, program)| Unserved { job, model_type, program, since });
        let wanting = self.with_queue(&open, |queue| queue.wanting())?;
        Ok(Survey { counts: self.counts()?, wanting, unserved })
    }

    fn why(&self, open: &[OpenJob]) -> Result<BTreeMap<JobId, Waiting>, StoreError> {
        let here: Vec<_> = self.clocks()?.workers().filter(|worker| worker.is_here()).map(WorkerSeen::asking).collect();
        self.with_queue(open, |queue| queue.waiting(&here))
    }
}
