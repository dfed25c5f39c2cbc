use std::sync::{MutexGuard, PoisonError};

use super::clocks::Clocks;
use super::{JobError, Jobs, hook};
use crate::domain::bus::BusEvent;
use crate::domain::job::{Job, JobId, JobKind, JobState, JobStep};
use crate::store::{OutboxKind, StoreError, WriteTxn};

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The worker that has the job: it is heard of by that.
    Worker,
    /// We, or somebody else.
    Other,
}

impl Jobs {
    /// Changes a job in one transaction. What the rest of the daemon remembers of it follows after the commit.
    pub(super) fn change<T>(
        &self,
        id: JobId,
        who: Who,
        make: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<(Job, T), JobError> {
        let _order = self.in_order();
        let changed = self.store.write(|txn| {
            let mut job = txn.job(id)?.ok_or(JobError::NoJob(id))?;
            let before = job.clone();
            let made = make(txn, &mut job)?;
            if let JobKind::Hook(run) = &job.kind.clone()
                && (before.state.is_held(), job.state) == (true, JobState::Pending)
            {
                hook::give_way(txn, run, &mut job, (self.now)())?;
            }
            if job != before {
                txn.put_job(&job)?;
                self.follow_in(txn, &before, &job)?;
            }
            Ok::<_, JobError>((before, job, made))
        });
        let (before, job, made) = changed.inspect_err(|error| {
            if error.is_stale() {
                self.metrics.jobs.stale.inc();
            }
        })?;
        self.follow_change(&before, &job, who)?;
        Ok((job, made))
    }

    /// What follows within the transaction: others are told what became of it.
    fn follow_in(&self, txn: &WriteTxn, before: &Job, job: &Job) -> Result<(), JobError> {
        let now = (self.now)();
        let training = match &job.kind {
            JobKind::Training(training) => training,
            JobKind::Hook(run) => return hook::follow(txn, run, job, now),
        };
        let fails = job.state == JobState::Failed && before.state != JobState::Failed;
        if fails && !job.stands(Some(JobStep::TellTrained)) {
            let (id, nothing) = (job.id.to_string(), serde_json::json!({}));
            let (version, model_type) = (job.version.as_ref(), training.name.model_type);
            let event = BusEvent::trained(Some(&id), &job.model, version, model_type, false, nothing, now);
            txn.put_out(OutboxKind::Bus, now, serde_json::to_string(&event)?)?;
        }
        Ok(())
    }

    /// What follows from a commit: clocks, figures, whoever waits. In the order of the commits ([`Jobs::in_order`]).
    pub(super) fn follow_change(&self, before: &Job, job: &Job, who: Who) -> Result<(), StoreError> {
        if job.state.is_held() || before.state != job.state {
            self.clocks()?.follow(job, who == Who::Worker, self.config.patience(), (self.now)());
        }
        if before.state != job.state {
            self.metrics.jobs.moved(before, job);
            tell_log(before, job);
        }
        if before != job {
            self.tell(job.id);
        }
        if before.state != job.state && !job.state.is_held() {
            self.work.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Held from before a commit until what is remembered in memory has followed it, so that memory never goes back.
    pub(super) fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clocks, with what the file had when the daemon started.
    pub(super) fn clocks(&self) -> Result<MutexGuard<'_, Clocks>, StoreError> {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        if !clocks.loaded {
            let open = self.store.open_jobs()?;
            clocks.newest = self.store.job_counts()?.last;
            clocks.load(&open, (self.now)());
        }
        Ok(clocks)
    }
}

/// A line for operators where something happened that they may want to know.
fn tell_log(before: &Job, job: &Job) {
    let why = job.failure.as_ref().map(|failure| failure.why.as_str()).unwrap_or_default();
    let (id, model, worker) = (job.id, &job.model, before.lease.as_ref().map(|lease| lease.worker.as_str()));
    match job.state {
        JobState::Completed => tracing::info!(%id, %model, worker, "job completed"),
        JobState::Cancelled => tracing::info!(%id, %model, worker, "job cancelled"),
        JobState::Failed => tracing::warn!(%id, %model, worker, "job failed: {why}"),
        JobState::Lost => tracing::warn!(%id, %model, worker, "job lost: its worker is not heard of"),
        JobState::Pending => tracing::warn!(%id, %model, worker, "job to be tried again: {why}"),
        JobState::Leased | JobState::Running => {}
    }
}
