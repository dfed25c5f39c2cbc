//! The daemon's own steps of a job, as orchestration journals them: what it begins, what is done, and the version.

use super::change::Who;
use super::{JobError, Jobs};
use crate::domain::job::{Job, JobId, JobStep, StepOutcome};
use crate::domain::model::VersionName;

impl Jobs {
    /// A step of the daemon's own begins; one that has begun under this lease goes on. `inputs` is SHA-256 over everything
    /// that it depends on.
    pub fn begin_step(&self, id: JobId, epoch: u64, step: JobStep, inputs: [u8; 32]) -> Result<Job, JobError> {
        let now = (self.now)();
        let began = |job: &mut Job| job.begin_step(epoch, Some(step), None, inputs, now);
        Ok(self.change(id, Who::Other, |_, job| Ok(began(job)?))?.0)
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
}
