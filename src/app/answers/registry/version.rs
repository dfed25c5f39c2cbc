use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApprovalAnswer, revision};
use crate::app::answers::QueryError;
use crate::app::files::FileAnswer;
use crate::app::registry::{Registry, RegistryError, VersionDetail, VersionQuery};
use crate::domain::model::{
    ArtifactState, Artifacts, Forced, Importances, Keeping, ModelId, ModelName, ModelStatus, ModelType, Origin,
    Tombstone, Version, VersionName,
};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};

/// The data that a version was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowAnswer {
    /// From here.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub from: Micros,
    /// To here.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub until: Micros,
}

/// Who did something to a version, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneAnswer {
    /// Who.
    pub by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// Why.
    pub why: String,
}

impl From<&Forced> for DoneAnswer {
    fn from(Forced { by, at, why }: &Forced) -> Self {
        Self { by: by.clone(), at: *at, why: why.clone() }
    }
}

impl From<&Tombstone> for DoneAnswer {
    fn from(Tombstone { by, at, why }: &Tombstone) -> Self {
        Self { by: by.clone(), at: *at, why: why.clone() }
    }
}

/// What is known of a version's files, without their list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactsAnswer {
    /// `sound`, `empty` (a file has no content) or `gone` (not there when it was imported).
    pub state: ArtifactState,
    /// The directory of files that were left where they are; null for those that were taken in.
    pub in_place: Option<String>,
    /// How many files.
    pub files: usize,
    /// Bytes of all of them.
    pub size: u64,
}

impl From<&Artifacts> for ArtifactsAnswer {
    fn from(artifacts: &Artifacts) -> Self {
        let in_place = match &artifacts.keeping {
            Keeping::Kept => None,
            Keeping::InPlace(directory) => Some(directory.clone()),
        };
        Self { state: artifacts.state, in_place, files: artifacts.files.len(), size: artifacts.size() }
    }
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionAnswer {
    /// Its model.
    pub model_id: ModelId,
    /// Its name.
    pub version: VersionName,
    /// What kind of program.
    pub model_type: ModelType,
    /// The symbol; null for a model of several.
    pub symbol: Option<String>,
    /// `1h`, `15m`, ….
    pub timeframe: String,
    /// The market's regime that it is for.
    pub regime: Option<String>,
    /// Where it stands.
    pub status: ModelStatus,
    /// When it was registered; of an imported one, when it was made.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When it last went into production.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub promoted_at: Option<Micros>,
    /// When it last left production.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub retired_at: Option<Micros>,
    /// The version that it was made from.
    pub parent: Option<VersionName>,
    /// The training job that made it; null for an imported one.
    pub job: Option<String>,
    /// What it was imported from; null for a trained one.
    pub imported_from: Option<String>,
    /// The data that it was trained on; only an imported one may lack it.
    pub data: Option<WindowAnswer>,
    /// Its parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Features that it reads; only an imported one may lack it.
    pub feature_count: Option<u32>,
    /// The revision of the code that trained it, where known.
    pub code_revision: Option<String>,
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
    /// Its files; null before any were taken in.
    pub artifacts: Option<ArtifactsAnswer>,
    /// The promotions that went past its gates.
    pub forced: Vec<DoneAnswer>,
    /// Who deleted it; null for all that are there.
    pub deleted: Option<DoneAnswer>,
}

impl VersionAnswer {
    /// A version of the model of this name.
    pub fn of(name: &ModelName, status: ModelStatus, version: &Version) -> Self {
        let provenance = &version.provenance;
        let (job, imported_from) = match &provenance.origin {
            Origin::Job(id) => (Some(id.clone()), None),
            Origin::Import(from) => (None, Some(from.clone())),
        };
        Self {
            model_id: version.model.clone(),
            version: version.name.clone(),
            model_type: name.model_type,
            symbol: name.symbol.clone(),
            timeframe: name.timeframe.clone(),
            regime: name.regime.clone(),
            status,
            created_at: version.created_at,
            promoted_at: version.promoted_at,
            retired_at: version.retired_at,
            parent: version.parent.clone(),
            job,
            imported_from,
            data: provenance.data.map(|window| WindowAnswer { from: window.from, until: window.until }),
            parameters: provenance.parameters.iter().map(|(name, text)| (name.clone(), value(text))).collect(),
            feature_count: provenance.feature_count,
            code_revision: provenance.code_revision.clone(),
            train_metrics: version.train_metrics.clone(),
            validation_metrics: version.validation_metrics.clone(),
            tags: version.tags.clone(),
            score: version.score,
            sharpe: version.sharpe,
            artifacts: version.artifacts.as_ref().map(ArtifactsAnswer::from),
            forced: version.forced.iter().map(DoneAnswer::from).collect(),
            deleted: version.deleted.as_ref().map(DoneAnswer::from),
        }
    }
}

/// A parameter, which is stored as JSON; what is none after all is shown as the text that it is.
pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// How much each feature counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImportancesAnswer {
    /// What the figures are, `mean |SHAP|`; null where nobody said it.
    pub method: Option<String>,
    /// Each feature, what counts most first.
    pub features: Vec<FeatureAnswer>,
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureAnswer {
    /// Its name.
    pub feature: String,
    /// How much it counts.
    pub importance: f64,
}

impl From<Importances> for ImportancesAnswer {
    fn from(Importances { method, features }: Importances) -> Self {
        let feature = |(feature, importance)| FeatureAnswer { feature, importance };
        Self { method, features: features.into_iter().map(feature).collect() }
    }
}

/// One version with all that hangs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionDetailAnswer {
    /// The version.
    #[serde(flatten)]
    pub version: VersionAnswer,
    /// The model's revision: the `ETag` without its quotation marks.
    pub revision: String,
    /// Its files.
    pub files: Vec<FileAnswer>,
    /// How much each feature counts, as its training found out; null where it did not.
    pub feature_importances: Option<ImportancesAnswer>,
    /// Whether a rollback to `before` leads to it.
    pub is_before: bool,
    /// Its promotion, where that waits for a second person.
    pub approval: Option<ApprovalAnswer>,
}

impl VersionDetailAnswer {
    /// Looks it up.
    pub fn find(registry: &Registry, model: &ModelId, name: &VersionName, now: Micros) -> Result<Self, RegistryError> {
        let VersionDetail { model, version, approval, is_before, importances, .. } =
            registry.version(model, name, now)?;
        let files = version.artifacts.iter().flat_map(|artifacts| &artifacts.files).map(FileAnswer::from);
        Ok(Self {
            version: VersionAnswer::of(&model.name, model.status(&version), &version),
            revision: revision(model.revision),
            files: files.collect(),
            feature_importances: importances.map(ImportancesAnswer::from),
            is_before,
            approval: approval.as_ref().map(ApprovalAnswer::from),
        })
    }
}

/// A page of versions, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<VersionAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl VersionPage {
    /// Looks for a page.
    pub fn find(registry: &Registry, query: &VersionQuery) -> Result<Self, QueryError> {
        let page = registry.versions(query)?;
        let versions = page.rows.iter().map(|row| VersionAnswer::of(&row.name, row.status, &row.version)).collect();
        Ok(Self { versions, next: page.next })
    }
}
