use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::revision;
use crate::app::registry::{Registry, RegistryError};
use crate::domain::gates::Verdict;
use crate::domain::model::{ModelId, ModelStatus, VersionName};
use crate::domain::time::Micros;

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

impl GatesAnswer {
    /// Asks them.
    pub fn find(registry: &Registry, model: &ModelId, name: &VersionName, now: Micros) -> Result<Self, RegistryError> {
        let detail = registry.version(model, name, now)?;
        let verdicts = registry.verdicts(model, name)?;
        Ok(Self {
            model_id: model.clone(),
            version: name.clone(),
            status: detail.status,
            revision: revision(detail.model.revision),
            verdicts,
        })
    }
}
