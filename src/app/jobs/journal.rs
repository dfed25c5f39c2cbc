//! The daemon's own steps of a job, as orchestration journals them.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::change::Who;
use super::{JobError, Jobs};
use crate::domain::job::{Finished, Job, JobId, JobKind, JobStep, StepOutcome, StepRecord};
use crate::domain::model::VersionName;
use crate::store::WriteTxn;

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
        job: &Job,
        step: JobStep,
        inputs: [u8; 32],
        work: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        self.own_steps(job, &[step], inputs, work)
    }

    /// Several that are one.
    pub fn own_steps<T>(
        &self,
        &Job { id, epoch, .. }: &Job,
        steps: &[JobStep],
        inputs: [u8; 32],
        work: impl FnOnce(&WriteTxn, &mut Job) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let began = (self.now)();
        let (_, done) = self.change(id, Who::Other, |txn, job| {
            job.held_under(epoch)?;
            let done = work(txn, job)?;
            for step in steps {
                job.begin_step(epoch, Some(*step), None, inputs, began)?;
                job.end_step(epoch, Some(*step), StepOutcome::Done, (self.now)())?;
            }
            Ok(done)
        })?;
        Ok(done)
    }
}

/// SHA-256 over what registering a version depends on: the model, what was answered, and what its files hold. The same of
/// a job and of its retry.
pub(super) fn answered(job: &Job, answer: &Finished) -> Result<[u8; 32], JobError> {
    print(&(&job.model, answer))
}

/// The same for what follows once the version is there.
pub(super) fn answered_of(job: &Job, version: &VersionName, answer: &Finished) -> Result<[u8; 32], JobError> {
    print(&(&job.model, version, answer))
}

/// SHA-256 over what is to be trained.
pub(super) fn asked(job: &Job) -> Result<[u8; 32], JobError> {
    let JobKind::Training(training) = &job.kind else { return print(&job.model) };
    let [params, features] =
        [&training.params, &training.feature_config].map(|text| text.as_ref().map(|text| text.as_str()));
    print(&(&job.model, training.span_days, params, features, &training.parent, &training.candidate))
}

/// SHA-256 over what every step depended on that counts: two jobs for which it is the same did the same.
pub(super) fn everything(job: &Job) -> [u8; 32] {
    let newest = |step: &JobStep| job.steps.iter().rev().find(|record| record.step == Some(*step) && record.is_done());
    let inputs = JobStep::ALL.iter().filter_map(newest).map(|record: &StepRecord| record.inputs);
    inputs.fold(Sha256::new(), |hash, inputs| hash.chain_update(inputs)).finalize().into()
}

fn print(what: &impl Serialize) -> Result<[u8; 32], JobError> {
    Ok(Sha256::digest(serde_json::to_vec(what)?).into())
}
