use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApprovalAnswer, revision};
use crate::app::answers::QueryError;
use crate::app::registry::{ModelQuery, Registry, RegistryError};
use crate::domain::model::{Model, ModelId, ModelStatus, ModelType, Version, VersionName};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};

/// What is in production, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductionAnswer {
    /// Its name.
    pub version: VersionName,
    /// Since when.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub since: Option<Micros>,
    /// The score of its newest evaluation, 0 to 100.
    pub score: Option<f64>,
    /// The annual Sharpe ratio of its newest evaluation.
    pub sharpe: Option<f64>,
    /// Whether it was ever promoted past its gates.
    pub forced: bool,
}

impl From<&Version> for ProductionAnswer {
    fn from(version: &Version) -> Self {
        Self {
            version: version.name.clone(),
            since: version.promoted_at,
            score: version.score,
            sharpe: version.sharpe,
            forced: !version.forced.is_empty(),
        }
    }
}

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelAnswer {
    /// Its id.
    pub model_id: ModelId,
    /// What kind of program.
    pub model_type: ModelType,
    /// The symbol; null for a model of several.
    pub symbol: Option<String>,
    /// `1h`, `15m`, ….
    pub timeframe: String,
    /// The market's regime that it is for.
    pub regime: Option<String>,
    /// When its first version was registered.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When something last happened to it.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub changed_at: Micros,
    /// Changes with everything that happens to the model: the `ETag` without its quotation marks.
    pub revision: String,
    /// When a version was last promoted.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub promoted_at: Option<Micros>,
    /// The one version that decides; null where none does.
    pub production: Option<ProductionAnswer>,
    /// How many versions it has, without those that were deleted.
    pub versions: u32,
    /// How many of them stand where.
    pub status_counts: BTreeMap<ModelStatus, u32>,
    /// Evaluations of its versions, those of deleted ones too.
    pub evaluations: u64,
}

impl ModelAnswer {
    /// A model, of which this version is in production.
    pub fn of(model: &Model, production: Option<&Version>) -> Self {
        let status_counts = ModelStatus::ALL.into_iter().map(|status| (status, model.count(status)));
        Self {
            model_id: model.id.clone(),
            model_type: model.name.model_type,
            symbol: model.name.symbol.clone(),
            timeframe: model.name.timeframe.clone(),
            regime: model.name.regime.clone(),
            created_at: model.created_at,
            changed_at: model.changed_at,
            revision: revision(model.revision),
            promoted_at: model.promoted_at,
            production: production.map(ProductionAnswer::from),
            versions: model.counts.living(),
            status_counts: status_counts.collect(),
            evaluations: model.evaluations,
        }
    }
}

/// A page of models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPage {
    /// The models.
    pub models: Vec<ModelAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl ModelPage {
    /// Looks for a page.
    pub fn find(registry: &Registry, query: &ModelQuery) -> Result<Self, QueryError> {
        let page = registry.models(query)?;
        let models = page.rows.iter().map(|row| ModelAnswer::of(&row.model, row.production.as_ref())).collect();
        Ok(Self { models, next: page.next })
    }
}

/// One model with what is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelDetailAnswer {
    /// The model.
    #[serde(flatten)]
    pub model: ModelAnswer,
    /// Where a rollback to `before` leads; null where nothing was in production before.
    pub before: Option<VersionName>,
    /// Promotions that wait for a second person.
    pub approvals: Vec<ApprovalAnswer>,
}

impl ModelDetailAnswer {
    /// Looks it up.
    pub fn find(registry: &Registry, id: &ModelId, now: Micros) -> Result<Self, RegistryError> {
        let detail = registry.model(id, now)?;
        Ok(Self {
            model: ModelAnswer::of(&detail.model, detail.production.as_ref()),
            before: detail.before,
            approvals: detail.approvals.iter().map(ApprovalAnswer::from).collect(),
        })
    }
}
