use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::jobs::{JobError, Jobs, WorkerSeen};
use crate::domain::job::{JobId, OpenJob, Program};
use crate::domain::model::ModelType;
use crate::domain::time::{Micros, rfc3339};
use crate::store::Store;

/// A worker that was heard of since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerAnswer {
    /// Its name.
    pub name: String,
    /// Its machine.
    pub host: String,
    /// Which programs it has, for each model type.
    pub programs: BTreeMap<ModelType, Vec<Program>>,
    /// Whether it runs the promotion hook.
    pub hook: bool,
    /// Whether it was heard of lately: who is not, is not counted on.
    pub here: bool,
    /// When it was last heard of.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub heard_at: Micros,
    /// The jobs that it has.
    pub jobs: Vec<JobId>,
}

impl WorkerAnswer {
    /// What it has is what it was given: it says so itself only when it asks for more.
    fn of(seen: WorkerSeen, open: &[OpenJob]) -> Self {
        let here = seen.is_here();
        let WorkerSeen { name, host, programs, hook, heard_at, .. } = seen;
        let its = open.iter().filter(|job| job.state.is_held() && job.worker.as_deref() == Some(name.as_str()));
        let jobs = its.map(|job| job.id).collect();
        Self { name, host, programs, hook, here, heard_at, jobs }
    }

    /// Its programs in words: `xgboost: data, train, evaluate`.
    pub fn programs_in_words(&self) -> Vec<String> {
        let words = |programs: &[Program]| programs.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        let mut all: Vec<_> =
            self.programs.iter().map(|(kind, programs)| format!("{kind}: {}", words(programs))).collect();
        if self.hook {
            all.push("the promotion hook".to_owned());
        }
        all
    }
}

/// The workers, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerList {
    /// Those that were heard of.
    pub workers: Vec<WorkerAnswer>,
}

impl WorkerList {
    /// Those that were heard of since the daemon started.
    pub fn find(jobs: &Jobs, store: &Store) -> Result<Self, JobError> {
        let open = store.open_jobs()?;
        Ok(Self { workers: jobs.workers()?.into_iter().map(|seen| WorkerAnswer::of(seen, &open)).collect() })
    }
}
