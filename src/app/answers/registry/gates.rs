use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::gates::Verdict;
use crate::domain::model::{ModelId, ModelStatus, VersionName};

/// What the gates say of a version, on the way to each goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatesAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision: the `ETag` without its quotation marks.
    pub revision: String,
    /// For shadow, candidate and production.
    pub verdicts: Vec<Verdict>,
}
