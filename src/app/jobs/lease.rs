use std::sync::Arc;
use std::time::Duration;

use super::change::Who;
use super::clocks::Heard;
use super::journal::asked;
use super::{JobError, Jobs};
use crate::domain::job::{
    Asking, Assignment, Failure, FailureKind, Holder, JobId, JobKind, JobStep, LeaseRequest, OpenJob, Queue,
    ReportAnswer, StepOutcome,
};
use crate::store::StoreError;

/// How long a hook waits for the disk before it is looked again.
const OBSTACLE_PAUSE: Duration = Duration::from_secs(5);

/// The longest that a worker is let wait.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

impl Jobs {
    /// A worker asks for work: what it no longer has is given back, and it gets a job if there is one for it.
    pub fn lease(&self, request: &LeaseRequest) -> Result<Option<Assignment>, JobError> {
        // Nobody waits for the answer to a request that comes late.
        if self.hear(request)? { self.give(request) } else { Ok(None) }
    }

    /// As [`Jobs::lease`], and waits for work for as long as the worker asks for.
    pub async fn lease_or_wait(self: &Arc<Self>, request: LeaseRequest) -> Result<Option<Assignment>, JobError> {
        // Whoever asked and was not heard of since must not be given what was lost with them: they ask in vain by then.
        let wait = Duration::from_secs(request.wait_seconds.into()).min(LONGEST_WAIT).min(self.config.lease());
        let until = tokio::time::Instant::now() + wait;
        // Before the first look, so that what comes between a look and the wait is not missed.
        let mut work = self.work.subscribe();
        let (jobs, request) = (self.clone(), Arc::new(request));
        // What the worker has is so as of now: while it waits here it may get a job on another way, so it is heard once.
        let asked = request.clone();
        let mut given = blocking(move || jobs.lease(&asked)).await?;
        while given.is_none() {
            match tokio::time::timeout_at(until, work.changed()).await {
                Ok(Ok(())) => {
                    let (jobs, asked) = (self.clone(), request.clone());
                    given = blocking(move || jobs.give(&asked)).await?;
                }
                Ok(Err(_)) | Err(_) => break,
            }
        }
        Ok(given)
    }

    /// Takes note of a worker. A job of its own that it does not have any more has no process: it is given back. That holds
    /// for the worker that got it only: two under one name would take each other's jobs for dead. False for a request that
    /// a later one was before.
    fn hear(&self, request: &LeaseRequest) -> Result<bool, JobError> {
        let now = (self.now)();
        match self.clocks()?.heard_of(request, self.config.lease(), now) {
            Heard::Now => {}
            // What it was given after it asked cannot be in it.
            Heard::Late => return Ok(false),
            Heard::Another { host } => return Err(JobError::Name { name: request.worker.clone(), host }),
        }
        let has = |job: &OpenJob| request.held.iter().any(|held| held.job == job.id && held.epoch == job.epoch);
        let its =
            |job: &&OpenJob| job.state.is_held() && job.worker.as_deref() == Some(request.worker.as_str()) && !has(job);
        for job in self.store.open_jobs()?.iter().filter(its) {
            self.change(job.id, Who::Worker, |_, held| {
                let same = held.lease.as_ref().is_some_and(|lease| lease.instance == request.instance);
                if same && held.held_under(job.epoch).is_ok() {
                    let why = "its worker was started anew, and does not have it any more".to_owned();
                    let why = Failure { kind: FailureKind::Infrastructure, why };
                    held.release(job.epoch, why, self.config.patience(), now)?;
                }
                Ok(())
            })?;
        }
        Ok(true)
    }

    /// Gives a worker the job that is next for it.
    fn give(&self, request: &LeaseRequest) -> Result<Option<Assignment>, JobError> {
        let asking = Asking { worker: request.worker.clone(), programs: request.programs.clone(), hook: request.hook };
        loop {
            // Most ask in vain, and those write nothing.
            let Some(next) = self.choose(&self.store.open_jobs()?, &asking)? else { return Ok(None) };
            if !self.is_ready(next)? {
                continue;
            }
            let Some((id, epoch)) = self.take_lease(request, &asking, next)? else { continue };
            match self.turns.take(id, || self.follow(id, epoch))? {
                ReportAnswer::Run { assignment } => return Ok(Some(*assignment)),
                // It lacked nothing but the daemon's own steps.
                ReportAnswer::Over { .. } => {}
                // A worker begins with a program; what it should send before that it cannot know of.
                ReportAnswer::Upload { .. } => {
                    let why = "files are missing that should have been sent before".to_owned();
                    let why = Failure { kind: FailureKind::Infrastructure, why };
                    let (patience, now) = (self.config.patience(), (self.now)());
                    self.change(id, Who::Other, |_, job| Ok(job.release(epoch, why, patience, now)?))?;
                }
            }
        }
    }

    /// Whether a job may begin now. Whoever a hook calls reads what is in production from the disk, which has to have
    /// followed the promotion by then: where it cannot, the hook waits.
    fn is_ready(&self, id: JobId) -> Result<bool, JobError> {
        let Some(job) = self.store.job(id)?.filter(|job| matches!(job.kind, JobKind::Hook(_))) else { return Ok(true) };
        let Some(obstacle) = self.orchestrator.settle(&job.model) else { return Ok(true) };
        tracing::warn!(%id, model = %job.model, "the promotion hook waits: {obstacle}");
        self.clocks()?.pause(id, OBSTACLE_PAUSE);
        Ok(false)
    }

    /// Leases the job to the worker, if it is still the next one for it.
    fn take_lease(
        &self,
        request: &LeaseRequest,
        asking: &Asking,
        next: JobId,
    ) -> Result<Option<(JobId, u64)>, JobError> {
        let now = (self.now)();
        let LeaseRequest { worker, instance, host, .. } = request;
        let holder = Holder { worker, instance, host, seconds: self.lease_seconds() };
        let _order = self.in_order();
        let leased = self.store.write(|txn| {
            let Some(id) = self.choose(&txn.open_jobs()?, asking)?.filter(|id| *id == next) else { return Ok(None) };
            let mut job = txn.job(id)?.ok_or(JobError::NoJob(id))?;
            let before = job.clone();
            let (epoch, inputs) = (job.lease(holder, now)?, asked(&job)?);
            if let JobKind::Training(_) = job.kind {
                job.begin_step(epoch, Some(JobStep::Begin), None, inputs, now)?;
                job.end_step(epoch, Some(JobStep::Begin), StepOutcome::Done, now)?;
            }
            txn.put_job(&job)?;
            Ok::<_, JobError>(Some((before, job)))
        })?;
        let Some((before, job)) = leased else { return Ok(None) };
        self.follow_change(&before, &job, Who::Worker)?;
        Ok(Some((job.id, job.epoch)))
    }

    fn choose(&self, open: &[OpenJob], asking: &Asking) -> Result<Option<JobId>, StoreError> {
        self.with_queue(open, |queue| queue.next_for(asking))
    }

    /// Looks at the queue as it is now.
    pub(super) fn with_queue<T>(&self, open: &[OpenJob], look: impl FnOnce(&Queue<'_>) -> T) -> Result<T, StoreError> {
        let clocks = self.clocks()?;
        let (paused, given_up) = (|job| clocks.is_paused(job), |worker: &str| clocks.is_given_up(worker));
        let (running, now) = (self.config.running, (self.now)());
        Ok(look(&Queue { open, running, now, pauses: &paused, given_up: &given_up }))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| JobError::Orchestration { what: "looking for work", source: Box::new(error) })?
}
