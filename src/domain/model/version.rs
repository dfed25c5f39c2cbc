use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::{Artifacts, ModelId, ModelName, ModelStatus, Stage, VersionName};
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
    /// When a version was last promoted; what was tried since counts as trials.
    pub promoted_at: Option<Micros>,
}

impl Model {
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
    /// The score of its newest evaluation, 0 to 100.
    pub score: Option<f64>,
    /// The annual Sharpe ratio of its newest evaluation.
    pub sharpe: Option<f64>,
    /// The promotions that went past its gates.
    pub forced: Vec<Forced>,
    /// Set once it was deleted.
    pub deleted: Option<Tombstone>,
}
