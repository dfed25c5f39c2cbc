use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::{Artifacts, EvaluationId, ModelId, ModelName, ModelStatus, Stage, VersionName};
use crate::domain::time::Micros;

/// A model: what its versions have in common, and which of them is in production.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// What it is about.
    pub name: ModelName,
    /// When its first version was registered.
    pub created_at: Micros,
    /// The one version that decides.
    pub production: Option<VersionName>,
    /// The number of its newest history entry: it changes with everything that happens to the model.
    pub revision: u64,
    /// When that entry was made; the next one is never before it, whatever the clock does.
    pub changed_at: Micros,
    /// When a version was last promoted.
    pub promoted_at: Option<Micros>,
    /// The newest evaluation of all at the time of each promotion, oldest first, at most [`Model::MARKS`]: what was tried
    /// since counts as trials.
    pub trial_marks: Vec<EvaluationId>,
    /// Its versions, by where they stand.
    pub counts: StageCounts,
    /// Evaluations that are stored, those of deleted versions too.
    pub evaluations: u64,
}

/// How many versions of a model stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StageCounts {
    /// Being made.
    pub training: u32,
    /// Watching.
    pub shadow: u32,
    /// Fit for production.
    pub candidate: u32,
    /// In production, or retired.
    pub deployed: u32,
    /// Failed.
    pub failed: u32,
    /// Deleted: tombstones.
    pub deleted: u32,
}

impl StageCounts {
    /// The count of a stage.
    pub fn of(&mut self, stage: Stage) -> &mut u32 {
        match stage {
            Stage::Training => &mut self.training,
            Stage::Shadow => &mut self.shadow,
            Stage::Candidate => &mut self.candidate,
            Stage::Deployed => &mut self.deployed,
            Stage::Failed => &mut self.failed,
        }
    }

    /// Versions that are not deleted.
    pub fn living(&self) -> u32 {
        self.training + self.shadow + self.candidate + self.deployed + self.failed
    }
}

impl Model {
    /// Promotions whose mark is kept.
    pub const MARKS: usize = 64;

    /// A promotion begins a new round of trials.
    pub fn mark_trials(&mut self, newest: EvaluationId) {
        if self.trial_marks.len() >= Self::MARKS {
            self.trial_marks.remove(0);
        }
        self.trial_marks.push(newest);
    }

    /// The trials that compete with a version are those after this one, `first` being the first evaluation of its own that
    /// is out of sample. A version that was tried before the last promotion competes with what was tried in its own round,
    /// too: a promotion in between makes no luck undone.
    pub fn trials_after(&self, first: EvaluationId) -> EvaluationId {
        self.trial_marks.iter().rev().find(|mark| **mark < first).copied().unwrap_or(EvaluationId(0))
    }

    /// A model that has no version yet.
    pub fn new(id: ModelId, name: ModelName, created_at: Micros) -> Self {
        Self {
            id,
            name,
            created_at,
            production: None,
            revision: 0,
            changed_at: Micros(0),
            promoted_at: None,
            trial_marks: Vec::new(),
            counts: StageCounts::default(),
            evaluations: 0,
        }
    }

    /// How many of its versions have this status.
    pub fn count(&self, status: ModelStatus) -> u32 {
        let current = u32::from(self.production.is_some());
        match status {
            ModelStatus::Training => self.counts.training,
            ModelStatus::Shadow => self.counts.shadow,
            ModelStatus::Candidate => self.counts.candidate,
            ModelStatus::Production => current,
            ModelStatus::Retired => self.counts.deployed.saturating_sub(current),
            ModelStatus::Failed => self.counts.failed,
        }
    }

    /// Where `version` stands.
    pub fn status(&self, version: &Version) -> ModelStatus {
        version.stage.status(self.production.as_ref() == Some(&version.name))
    }
}

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Origin {
    /// A training job of ours, or of another program that has ids for its jobs.
    Job(String),
    /// An importer, and what it read.
    Import(String),
}

/// The data that a version was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DataWindow {
    /// From here.
    pub from: Micros,
    /// To here.
    pub until: Micros,
}

/// How a version came to be.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Provenance {
    /// Who made it.
    pub origin: Origin,
    /// Its data; only what is imported may lack it.
    pub data: Option<DataWindow>,
    /// Its parameters, each a JSON value.
    pub parameters: BTreeMap<String, String>,
    /// Features that it reads; only what is imported may lack it.
    pub feature_count: Option<u32>,
    /// The revision of the code that trained it, where known.
    pub code_revision: Option<String>,
}

/// A promotion past the gates.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Forced {
    /// Who.
    pub by: String,
    /// When.
    pub at: Micros,
    /// Why.
    pub why: String,
}

/// What is left of a version that was deleted: its name is never given again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Tombstone {
    /// Who.
    pub by: String,
    /// When.
    pub at: Micros,
    /// Why.
    pub why: String,
}

impl Version {
    /// The most figures of its training, and of its validation.
    pub const METRICS: usize = 256;

    /// The most parameters.
    pub const PARAMETERS: usize = 256;

    /// Bytes of their names and values together.
    pub const PARAMETERS_BYTES: usize = 64 << 10;

    /// The most tags.
    pub const TAGS: usize = 32;
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Version {
    /// Its model.
    pub model: ModelId,
    /// Its name.
    pub name: VersionName,
    /// Where it stands; [`Model::status`] says it in full.
    pub stage: Stage,
    /// When it was registered, or made where it was imported.
    pub created_at: Micros,
    /// When it last went into production.
    pub promoted_at: Option<Micros>,
    /// When it last left production.
    pub retired_at: Option<Micros>,
    /// What was in production when it was promoted: a rollback to "the one before" leads there.
    pub succeeded: Option<VersionName>,
    /// The version that it was made from.
    pub parent: Option<VersionName>,
    /// How it came to be.
    pub provenance: Provenance,
    /// Its files; none before they were taken in.
    pub artifacts: Option<Artifacts>,
    /// Figures of its training, as reported.
    pub train_metrics: BTreeMap<String, f64>,
    /// Figures of its validation, as reported.
    pub validation_metrics: BTreeMap<String, f64>,
    /// What people want to find it by.
    pub tags: BTreeMap<String, String>,
    /// The score of its newest evaluation out of sample, 0 to 100; under 50 where any gate on the way to candidate fails.
    pub score: Option<f64>,
    /// The annual Sharpe ratio of its newest evaluation out of sample.
    pub sharpe: Option<f64>,
    /// The promotions that went past its gates.
    pub forced: Vec<Forced>,
    /// Set once it was deleted.
    pub deleted: Option<Tombstone>,
}
