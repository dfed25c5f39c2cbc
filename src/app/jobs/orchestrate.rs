use std::sync::Arc;

use super::answer::read;
use super::journal::{answered, answered_of};
use super::{JobError, Jobs};
use crate::app::registry::{Ask, NewVersion, Registry, RegistryError};
use crate::domain::access::{Actor, Grant};
use crate::domain::adapter::{Answer, TrainResult};
use crate::domain::job::{Failure, FailureKind, Finished, Job, JobKind, JobStep, Program, StepOutcome, StepRecord};
use crate::domain::model::{DataWindow, Importances, ModelId, ModelStatus, Origin, Provenance, Stage, VersionName};
use crate::domain::performance::EvaluationInput;
use crate::domain::role::Role;
use crate::domain::time::Micros;
use crate::store::WriteTxn;

/// What comes after a program's answer, once the daemon has done its own steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These files of the version are missing: the worker sends them and asks again.
    Upload {
        /// The version.
        version: VersionName,
        /// Their paths.
        paths: Vec<String>,
    },
    /// The worker runs this program.
    Run(Program),
    /// Everything is done; step 10 is journaled with the job's end.
    Complete,
    /// The job comes to nothing. Of the kind [`crate::domain::job::FailureKind::Answer`]: the program's step counts as not
    /// done, and a retry runs it again.
    Fail(Failure),
}

/// Who does what follows upon programs' answers: the steps 4, 5, 7, 8 and 9.
pub trait Orchestrate: Send + Sync {
    /// Whether what a program answered at `now` is what it may answer. It is asked before the answer is kept.
    fn check(&self, _program: Program, _finished: &Finished, _now: Micros) -> Result<(), Failure> {
        Ok(())
    }

    /// Does what follows upon the answer of `program`. It is asked again whenever its answer got lost, after uploads, and
    /// under later leases: what was done already is done once ([`Jobs::own_step`]). An error means "not now": nothing of
    /// the job changes, and the worker asks again.
    fn after(&self, jobs: &Jobs, job: &Job, program: Program, finished: &Finished) -> Result<Next, JobError>;

    /// Has the disk follow what is in production of a model; what is in the way of that.
    fn settle(&self, _model: &ModelId) -> Option<String> {
        None
    }
}

/// Does them with the registry. Each step is one transaction with its place in the job's journal, so that it was done
/// wholly or not at all, whenever the daemon dies.
pub struct Orchestrator {
    /// Models, versions, gates.
    pub registry: Arc<Registry>,
}

impl Orchestrate for Orchestrator {
    fn check(&self, program: Program, finished: &Finished, now: Micros) -> Result<(), Failure> {
        read(program, finished, now).map(drop)
    }

    fn after(&self, jobs: &Jobs, job: &Job, program: Program, finished: &Finished) -> Result<Next, JobError> {
        // Checked when it was reported; an answer that another version of this program took may fit no longer.
        let answer = match read(program, finished, (jobs.now)()) {
            Ok(answer) => answer,
            Err(failure) => return Ok(Next::Fail(failure)),
        };
        let next = match answer {
            Answer::Data(_) => Ok(Next::Run(Program::Train)),
            Answer::Train(train) => self.after_train(jobs, job, *train, finished),
            Answer::Evaluate(input) => self.after_evaluate(jobs, job, &input, finished),
            Answer::Hook(_) => Ok(Next::Complete),
        };
        next.or_else(refused)
    }

    fn settle(&self, model: &ModelId) -> Option<String> {
        self.registry.settle(model)
    }
}

impl Orchestrator {
    /// 4: the version is registered, and its files are taken in; 5: the bus is told.
    fn after_train(&self, jobs: &Jobs, job: &Job, train: TrainResult, done: &Finished) -> Result<Next, JobError> {
        if !job.stands(Some(JobStep::Register)) {
            let (print, epoch) = (answered(job, done)?, job.epoch);
            let is_its = |record: &StepRecord| record.step == Some(JobStep::Register) && record.inputs == print;
            let version = match &job.version {
                Some(version) if job.steps.iter().any(is_its) => {
                    // Registered already, perhaps under an earlier lease or by the job that this one does again: its files
                    // are still on their way.
                    jobs.begin_step(job.id, epoch, JobStep::Register, print)?;
                    version.clone()
                }
                _ => {
                    let version = self.register(jobs, job, train, print)?;
                    crate::failpoint!("jobs.registered");
                    version
                }
            };
            let paths = self.missing(jobs, job, &version, done)?;
            if !paths.is_empty() {
                return Ok(Next::Upload { version, paths });
            }
            jobs.finish_step(job.id, epoch, JobStep::Register, StepOutcome::Done)?;
            crate::failpoint!("jobs.files");
        }
        if !job.stands(Some(JobStep::TellTrained)) {
            let ask = ask(jobs, job);
            // As it is by now: it may have been registered above.
            let version = registered(&jobs.get(job.id)?)?;
            let inputs = answered_of(job, &version, done)?;
            jobs.own_step(job, JobStep::TellTrained, inputs, |txn, job| {
                Ok(self.registry.tell_trained_in(txn, &ask, &job.model, &version)?)
            })?;
            crate::failpoint!("jobs.told");
        }
        Ok(Next::Run(Program::Evaluate))
    }

    fn register(&self, jobs: &Jobs, job: &Job, train: TrainResult, inputs: [u8; 32]) -> Result<VersionName, JobError> {
        let (new, ask) = (new_version(job, train), ask(jobs, job));
        jobs.begin_step_with(job.id, job.epoch, JobStep::Register, inputs, |txn, job| {
            let registered = self.registry.register_in(txn, &ask, &job.model, &new)?;
            if let Some(lost) = job.version.replace(registered.version.clone()) {
                self.give_up(txn, &ask, job, &lost, &registered.version)?;
            }
            Ok(registered.version)
        })
    }

    /// A version whose files were lost with the worker that had them: it was trained again, as another one.
    fn give_up(
        &self,
        txn: &WriteTxn,
        ask: &Ask,
        job: &Job,
        lost: &VersionName,
        new: &VersionName,
    ) -> Result<(), JobError> {
        let version = txn.version(&job.model, lost)?;
        if version.is_some_and(|version| version.deleted.is_none() && version.stage == Stage::Training) {
            let why = format!("its files were lost with the worker that trained it; trained again as {new}");
            self.registry.advance_in(txn, ask, &job.model, lost, (ModelStatus::Failed, &why))?;
        }
        Ok(())
    }

    /// The files that the worker has and the registry has not.
    fn missing(&self, jobs: &Jobs, job: &Job, name: &VersionName, done: &Finished) -> Result<Vec<String>, JobError> {
        let version = self.registry.version(&job.model, name, (jobs.now)())?.version;
        let files = version.artifacts.map(|artifacts| artifacts.files).unwrap_or_default();
        let is_in = |path: &str| files.iter().any(|file| file.path.as_str() == path);
        Ok(done.artifacts.keys().filter(|path| !is_in(path)).cloned().collect())
    }

    /// 7: the evaluation is kept; 8: the bus is told, in the same transaction; 9: the gates decide.
    fn after_evaluate(
        &self,
        jobs: &Jobs,
        job: &Job,
        input: &EvaluationInput,
        done: &Finished,
    ) -> Result<Next, JobError> {
        let (ask, version) = (ask(jobs, job), registered(job)?);
        let inputs = answered_of(job, &version, done)?;
        if !job.stands(Some(JobStep::SaveEvaluation)) {
            let computed = self.registry.compute(input, ask.now)?;
            let steps = [JobStep::SaveEvaluation, JobStep::TellEvaluated];
            jobs.own_steps(job, &steps, inputs, |txn, job| {
                Ok(self.registry.evaluate_in(txn, &ask, &job.model, &version, &computed)?)
            })?;
            crate::failpoint!("jobs.evaluated");
        }
        if !job.stands(Some(JobStep::ApplyGates)) {
            let judged = jobs.own_step(job, JobStep::ApplyGates, inputs, |txn, job| {
                Ok(self.registry.apply_gates_in(txn, &ask, &job.model, &version)?)
            })?;
            crate::failpoint!("jobs.gated");
            if judged.status == ModelStatus::Production
                && let Some(warning) = self.registry.settle(&job.model)
            {
                tracing::warn!(model = %job.model, version = %judged.version, "{warning}");
            }
        }
        Ok(Next::Complete)
    }
}

/// The daemon acts in the job's name.
fn ask(jobs: &Jobs, job: &Job) -> Ask {
    Ask { actor: Actor::own(job.id), grant: Grant::Role(Role::Operator), now: (jobs.now)(), key: None, expected: None }
}

fn registered(job: &Job) -> Result<VersionName, JobError> {
    let none = || RegistryError::Conflict(format!("{} has registered no version", job.id));
    Ok(job.version.clone().ok_or_else(none)?)
}

/// What the registry refuses is a failure of the job; what it could not do now is tried again.
fn refused(error: JobError) -> Result<Next, JobError> {
    match error {
        JobError::Registry(RegistryError::Store(error)) => Err(error.into()),
        JobError::Registry(error @ (RegistryError::File { .. } | RegistryError::Answer(_))) => Err(error.into()),
        JobError::Registry(refusal) => {
            let why = format!("the registry did not take it: {refusal}");
            Ok(Next::Fail(Failure { kind: FailureKind::Registry, why }))
        }
        error => Err(error),
    }
}

fn new_version(job: &Job, train: TrainResult) -> NewVersion {
    let training = match &job.kind {
        JobKind::Training(training) => Some(training.as_ref()),
        JobKind::Hook(_) => None,
    };
    // Where the program does not say what it took, it took what it was asked to.
    let asked = training.and_then(|training| training.params.as_ref()).map(|params| params.value());
    let asked = asked.and_then(|params| params.as_object().cloned()).unwrap_or_default();
    let parameters = if train.parameters.is_empty() { asked } else { train.parameters };
    NewVersion {
        name: None,
        parent: training.and_then(|training| training.parent.clone()),
        provenance: Provenance {
            origin: Origin::Job(job.id.to_string()),
            data: Some(DataWindow { from: train.data_range.from, until: train.data_range.until }),
            parameters: parameters.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            feature_count: Some(train.feature_count),
            code_revision: train.code_revision,
        },
        train_metrics: train.train_metrics,
        validation_metrics: train.validation_metrics,
        tags: train.tags,
        importances: Importances::new(train.importance_method, train.feature_importances),
        success: true,
    }
}
