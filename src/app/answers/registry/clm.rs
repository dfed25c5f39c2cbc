//! The predecessor's answers about models (SPEC §4.6), name for name: programs depend on them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{VersionAnswer, VersionPage};
use crate::app::answers::QueryError;
use crate::app::answers::query::{MAX_LIMIT, filled, limit};
use crate::app::registry::{Registry, RegistryError, VersionQuery};
use crate::domain::model::{ModelId, ModelStatus, ModelType, VersionName};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::Store;

/// What the learning side is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmStatus {
    /// The program.
    pub service: String,
    /// `running`: whoever answers runs.
    pub status: String,
    /// Models, versions, jobs, evaluations.
    pub registry: ClmRegistry,
    /// What is trained when.
    pub scheduler: ClmScheduler,
    /// Candidates that evolve.
    pub evolution: ClmEvolution,
}

impl ClmStatus {
    /// Looks.
    pub fn read(registry: &Registry, store: &Store) -> Result<Self, RegistryError> {
        let counts = registry.counts()?;
        let mut status_counts: BTreeMap<_, _> = ModelStatus::ALL.into_iter().map(|status| (status, 0)).collect();
        status_counts.extend(counts.statuses);
        Ok(Self {
            service: "quantum-clm".to_owned(),
            status: "running".to_owned(),
            registry: ClmRegistry {
                total_model_ids: counts.models,
                total_versions: counts.versions,
                status_counts,
                training_jobs: ClmJobCounts::from(&store.job_counts()?),
                evaluations_count: counts.evaluations,
            },
            scheduler: ClmScheduler::default(),
            evolution: ClmEvolution::default(),
        })
    }
}

/// Figures of the registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmRegistry {
    /// Models.
    pub total_model_ids: u64,
    /// Versions of all models.
    pub total_versions: u64,
    /// How many of them stand where.
    pub status_counts: BTreeMap<ModelStatus, u64>,
    /// Training jobs.
    pub training_jobs: ClmJobCounts,
    /// Evaluations of all versions.
    pub evaluations_count: u64,
}

/// Training jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmJobCounts {
    /// All.
    pub total: usize,
    /// Not begun.
    pub pending: usize,
    /// Under way.
    pub in_progress: usize,
    /// Done.
    pub completed: usize,
    /// Not done.
    pub failed: usize,
}

/// The scheduler of trainings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmScheduler {
    /// Whether it runs.
    pub running: bool,
    /// How it is configured.
    pub config: Map<String, Value>,
    /// When each model was last trained.
    pub last_training: BTreeMap<String, String>,
    /// When each model is trained next.
    pub next_training_times: BTreeMap<String, String>,
}

/// Strategy evolution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmEvolution {
    /// Candidates.
    pub total_candidates: usize,
    /// How many of them stand where.
    pub status_counts: BTreeMap<String, usize>,
    /// Whether candidates are made.
    pub enabled: bool,
}

/// Which versions, as the predecessor's query says it. What it has besides is passed over, as it always was.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClmModelsQuery {
    /// Of models of this type.
    #[serde(deserialize_with = "filled")]
    pub model_type: Option<ModelType>,
    /// With this status.
    #[serde(deserialize_with = "filled")]
    pub status: Option<ModelStatus>,
    /// With at least this annual Sharpe ratio.
    #[serde(deserialize_with = "filled")]
    pub min_sharpe: Option<f64>,
    /// How many at most, from 1 to 10,000; 50 where nothing is said.
    #[serde(deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 10_000))]
    pub limit: Option<usize>,
}

/// The most versions of a list that has no pages.
const MOST: usize = 10_000;

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmModel {
    /// Its model.
    pub model_id: ModelId,
    /// Its name.
    pub version: VersionName,
    /// What kind of program.
    pub model_type: ModelType,
    /// Where it stands.
    pub status: ModelStatus,
    /// When it was registered.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When it last went into production.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub promoted_at: Option<Micros>,
    /// Figures of its training.
    pub train_metrics: BTreeMap<String, f64>,
    /// Figures of its validation.
    pub validation_metrics: BTreeMap<String, f64>,
}

impl From<VersionAnswer> for ClmModel {
    fn from(version: VersionAnswer) -> Self {
        Self {
            model_id: version.model_id,
            version: version.version,
            model_type: version.model_type,
            status: version.status,
            created_at: version.created_at,
            promoted_at: version.promoted_at,
            train_metrics: version.train_metrics,
            validation_metrics: version.validation_metrics,
        }
    }
}

/// Versions of models, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClmModels {
    /// The versions.
    pub models: Vec<ClmModel>,
    /// How many are in this list.
    pub total: usize,
}

impl ClmModels {
    /// Looks for them.
    pub fn find(registry: &Registry, query: &ClmModelsQuery) -> Result<Self, QueryError> {
        let most = limit(query.limit, MOST)?;
        let mut page = VersionQuery {
            model_type: query.model_type,
            status: query.status,
            min_sharpe: query.min_sharpe,
            ..VersionQuery::default()
        };
        let mut models: Vec<ClmModel> = Vec::new();
        loop {
            page.limit = Some((most - models.len()).min(MAX_LIMIT));
            let found = VersionPage::find(registry, &page)?;
            models.extend(found.versions.into_iter().map(ClmModel::from));
            page.cursor = found.next;
            if page.cursor.is_none() || models.len() >= most {
                break;
            }
        }
        Ok(Self { total: models.len(), models })
    }
}
