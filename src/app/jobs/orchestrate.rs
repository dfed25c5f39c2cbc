use std::sync::Arc;

use super::{JobError, Jobs};
use crate::app::files::Files;
use crate::app::registry::Registry;
use crate::domain::job::{Failure, Finished, Job, Program};
use crate::domain::model::VersionName;

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
    /// Does what follows upon the answer of `program`. It is asked again whenever its answer got lost, after uploads, and
    /// under later leases: what was done already is done once ([`Jobs::begin_step`], [`Jobs::finish_step`],
    /// [`Jobs::set_version`]). An error means "not now": nothing of the job changes, and the worker asks again.
    fn after(&self, jobs: &Jobs, job: &Job, program: Program, finished: &Finished) -> Result<Next, JobError>;
}

/// Does them with the registry.
pub struct Orchestrator {
    /// Models, versions, gates.
    pub registry: Arc<Registry>,
    /// Their files.
    pub files: Files,
}

impl Orchestrate for Orchestrator {
    /// A placeholder until the steps are there.
    fn after(&self, _: &Jobs, _: &Job, program: Program, _: &Finished) -> Result<Next, JobError> {
        Ok(match program {
            Program::Data => Next::Run(Program::Train),
            Program::Train => Next::Run(Program::Evaluate),
            Program::Evaluate | Program::Hook => Next::Complete,
        })
    }
}
