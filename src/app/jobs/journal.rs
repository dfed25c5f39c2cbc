//! The daemon's own steps of a job, as orchestration journals them.

use super::change::Who;
use super::{JobError, Jobs};
use crate::domain::job::{Job, JobId, JobStep, StepOutcome};
use crate::domain::model::VersionName;
use crate::store::WriteTxn;

/// What a step depends on whose answer was kept already: on nothing else.
const NOTHING_ELSE: [u8; 32] = [0; 32];

impl Jobs {
    /// A step of the daemon's own begins; one that has begun under this lease goes on. `inputs` is SHA-256 over everything
    /// that it depends on.
    pub fn begin_step(&self, id: JobId, epoch: u64, step: JobStep, inputs: [u8; 32]) -> Result<Job, JobError> {
        let now = (self.now)();
        let began = |job: &mut Job| job.begin_step(epoch, Some(step), None, inputs, now);
        Ok(self.change(id, Who::Other, |_, job| Ok(began(job)?))?.0)
    }

    /// The same with a part of what it does, in one transaction.
    pub fn begin_step_with<T>(
        &self,
        id: JobId,
        epoch: u64,
        step: JobStep,
        inputs: [u8; 32],
        work: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let now = (self.now)();
        let (_, done) = self.change(id, Who::Other, |txn, job| {
            job.begin_step(epoch, Some(step), None, inputs, now)?;
            work(txn, job)
        })?;
        Ok(done)
    }

    /// It has ended.
    pub fn finish_step(&self, id: JobId, epoch: u64, step: JobStep, outcome: StepOutcome) -> Result<Job, JobError> {
        let now = (self.now)();
        let ended = |job: &mut Job| job.end_step(epoch, Some(step), outcome, now);
        Ok(self.change(id, Who::Other, |_, job| Ok(ended(job)?))?.0)
    }

    /// The version that was registered for it, as soon as it was.
    pub fn set_version(&self, id: JobId, epoch: u64, version: &VersionName) -> Result<Job, JobError> {
        let set = |job: &mut Job| {
            job.held_under(epoch)?;
            job.version = Some(version.clone());
            Ok(())
        };
        Ok(self.change(id, Who::Other, |_, job| set(job))?.0)
    }

    /// A whole step, and what it does to the rest of the data file, in one transaction: so it is done once, whenever the
    /// daemon dies, and never for a worker that has the job no longer.
    pub fn own_step<T>(
        &self,
        id: JobId,
        epoch: u64,
        step: JobStep,
        work: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        self.own_steps(id, epoch, &[step], work)
    }

    /// Several that are one.
    pub fn own_steps<T>(
        &self,
        id: JobId,
        epoch: u64,
        steps: &[JobStep],
        work: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let began = (self.now)();
        let (_, done) = self.change(id, Who::Other, |txn, job| {
            job.held_under(epoch)?;
            let done = work(txn, job)?;
            for step in steps {
                job.begin_step(epoch, Some(*step), None, NOTHING_ELSE, began)?;
                job.end_step(epoch, Some(*step), StepOutcome::Done, (self.now)())?;
            }
            Ok(done)
        })?;
        Ok(done)
    }
}
