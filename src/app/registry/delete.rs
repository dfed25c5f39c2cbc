use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing, reason};
use super::{Ask, Registry, RegistryError};
use crate::domain::model::{Keeping, ModelId, ModelStatus, Step, Tombstone, Version, VersionName};

/// A version that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// The model.
    pub model: ModelId,
    /// The version; its name is never given again.
    pub version: VersionName,
    /// The model's revision since.
    pub revision: u64,
}

impl Registry {
    /// Deletes a version that nothing refers to: a tombstone remains, its evaluations go on counting as trials, and its
    /// files go where no other version has them.
    pub fn delete(&self, ask: &Ask, id: &ModelId, name: &VersionName, why: &str) -> Result<Deleted, RegistryError> {
        let why = reason(why)?;
        let request = format!("model.delete {id} {name}: {why}");
        let deleted = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            if let Some(what) = refers(change, &version)? {
                return Err(RegistryError::Conflict(format!("version {name} of {id} cannot be deleted: {what}")));
            }
            *change.model.counts.of(version.stage) -= 1;
            change.model.counts.deleted += 1;
            let by = ask.actor.name.clone();
            version.deleted = Some(Tombstone { by, at: change.at, why: why.to_owned() });
            if let Some(artifacts) = version.artifacts.as_ref().filter(|artifacts| artifacts.keeping == Keeping::Kept) {
                for file in &artifacts.files {
                    change.txn.release_artifact(&file.sha256)?;
                }
            }
            change.txn.put_version(&version)?;
            change.txn.remove_importances(id, name)?;
            change.drop_approval(name)?;
            change.enter(name, Step::Deleted, why, None)?;
            change.audit("model.delete", name, why)?;
            Ok(Deleted { model: id.clone(), version: name.clone(), revision: change.model.revision })
        })?;
        self.deployment.deleted(id, name);
        Ok(deleted)
    }
}

/// What would lose its way without the version.
fn refers(change: &Change<'_>, version: &Version) -> Result<Option<String>, RegistryError> {
    let (txn, model, name) = (change.txn, &change.model, &version.name);
    if model.status(version) == ModelStatus::Production {
        return Ok(Some("it is in production".into()));
    }
    let waits = txn.approvals_of(&model.id)?.into_iter().find(|approval| approval.version == *name);
    if let Some(approval) = waits.filter(|approval| approval.expires_at > change.at) {
        return Ok(Some(format!("its promotion waits for a second person ({} asked)", approval.asked_by)));
    }
    if let Some(current) = &model.production
        && change.way_back()?.is_some_and(|before| before.name == *name)
    {
        return Ok(Some(format!("a rollback from {current} leads to it")));
    }
    Ok(txn.child_of(&model.id, name)?.map(|child| format!("{child} was made from it")))
}
