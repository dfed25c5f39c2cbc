use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Missing, reason};
use super::gates::verdict_for;
use super::{Ask, Registry, RegistryError};
use crate::domain::access::{Grant, Scope};
use crate::domain::gates::Goal;
use crate::domain::model::{ModelId, ModelStatus, Stage, VersionName, may_move};

/// A version that went from one status to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// Where it stood.
    pub from: ModelStatus,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision since.
    pub revision: u64,
}

impl Registry {
    /// Moves a version one step: to shadow or candidate where its gates let it, or to failed. A worker may only say that
    /// what is being made has failed.
    pub fn advance(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        to: ModelStatus,
        why: &str,
    ) -> Result<Moved, RegistryError> {
        let why = reason(why)?;
        let request = format!("model.status {id} {name} {to}: {why}");
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let from = change.model.status(&version);
            let (stage, goal) = match to {
                ModelStatus::Shadow => (Stage::Shadow, Some(Goal::Shadow)),
                ModelStatus::Candidate => (Stage::Candidate, Some(Goal::Candidate)),
                ModelStatus::Failed => (Stage::Failed, None),
                ModelStatus::Training | ModelStatus::Production | ModelStatus::Retired => {
                    may_move(from, to)?;
                    return Err(RegistryError::Conflict(format!(
                        "a version becomes {to} by promoting one, or by rolling back"
                    )));
                }
            };
            let worker = ask.grant == Grant::Scope(Scope::Worker);
            if worker && (from, to) != (ModelStatus::Training, ModelStatus::Failed) {
                return Err(RegistryError::Forbidden(
                    "a worker's token may only say that a version in training has failed".into(),
                ));
            }
            may_move(from, to)?;
            let verdict = match goal {
                None => None,
                Some(goal) => {
                    let verdicts = self.judge(change.txn, &change.model, &version)?;
                    let verdict = verdict_for(&verdicts, goal).cloned();
                    if let Some(closed) = verdict.as_ref().filter(|verdict| !verdict.passed) {
                        return Err(RegistryError::Gates(closed.obstacles()));
                    }
                    verdict
                }
            };
            change.step_to(&mut version, stage, why, verdict)?;
            if stage == Stage::Failed {
                change.drop_approval(name)?;
            }
            change.txn.put_version(&version)?;
            change.audit("model.status", name, &format!("from {from} to {to}: {why}"))?;
            Ok(Moved {
                model: id.clone(),
                version: name.clone(),
                from,
                status: change.model.status(&version),
                revision: change.model.revision,
            })
        })
    }
}
