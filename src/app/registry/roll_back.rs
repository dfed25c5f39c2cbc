use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing, reason};
use super::{Ask, Registry, RegistryError, Target};
use crate::domain::bus::BusEvent;
use crate::domain::model::{Model, ModelId, ModelStatus, NoWay, Step, Version, VersionName};
use crate::store::StoreError;

/// What came of a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolledBack {
    /// The model.
    pub model: ModelId,
    /// What is in production.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
    /// Whether anything changed; `false` where the version was in production already.
    pub changed: bool,
    /// The model's revision since.
    pub revision: u64,
    /// What those who load it should know: the pointer on the disk is not there yet, or a file is missing.
    pub warning: Option<String>,
}

impl Registry {
    /// Puts back what was in production before, whatever gates and approvals say. To what is in production now it
    /// succeeds without effect, and without an entry.
    pub fn roll_back(&self, ask: &Ask, id: &ModelId, target: &Target, why: &str) -> Result<RolledBack, RegistryError> {
        let why = reason(why)?;
        let to = match target {
            Target::Version(name) => name.as_str(),
            Target::Before => "(the one before)",
        };
        let request = format!("model.rollback {id} {to}: {why}");
        let mut rolled_back = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = match target {
                Target::Version(name) => change.version(name)?,
                Target::Before => change.before()?,
            };
            let name = version.name.clone();
            match change.model.status(&version) {
                ModelStatus::Production => {
                    let revision = change.model.revision;
                    return Ok(RolledBack {
                        model: id.clone(),
                        version: name.clone(),
                        previous: Some(name),
                        changed: false,
                        revision,
                        warning: None,
                    });
                }
                ModelStatus::Retired => {}
                from => {
                    let why = "only what was in production before can come back by a rollback";
                    return Err(NoWay { from, to: ModelStatus::Production, why }.into());
                }
            }
            let previous = change.replace(&mut version)?;
            change.txn.put_version(&version)?;
            change.enter(&name, Step::RolledBack { previous: previous.clone() }, why, None)?;
            change.void_approvals(&name)?;
            change.audit("model.rollback", &name, why)?;
            let by = change.ask.actor.name.clone();
            change.tell(&BusEvent::rolled_back(id, previous.as_ref(), &name, why, &by, change.at))?;
            self.due_hook(change, &name, previous.as_ref())?;
            let revision = change.model.revision;
            Ok(RolledBack { model: id.clone(), version: name, previous, changed: true, revision, warning: None })
        })?;
        if rolled_back.changed {
            crate::failpoint!("registry.rollback.committed");
            rolled_back.warning = self.settle(id);
        }
        Ok(rolled_back)
    }
}

impl Change<'_> {
    /// Where a rollback to "the one before" leads.
    pub(super) fn way_back(&self) -> Result<Option<Version>, StoreError> {
        way_back(&self.model, |name| self.txn.version(&self.model.id, name))
    }

    fn before(&self) -> Result<Version, RegistryError> {
        let id = &self.model.id;
        self.way_back()?.ok_or_else(|| {
            RegistryError::Conflict(match &self.model.production {
                None => format!("nothing of {id} has been in production yet"),
                Some(current) => {
                    format!("nothing of {id} was in production before {current} was promoted: say which version")
                }
            })
        })
    }
}

/// The one before: what was in production when the present one was promoted; where that was deleted, what was in
/// production when that one was promoted, and so on. A version is promoted once, so the way has an end.
pub(super) fn way_back(
    model: &Model,
    version: impl Fn(&VersionName) -> Result<Option<Version>, StoreError>,
) -> Result<Option<Version>, StoreError> {
    let Some(current) = &model.production else { return Ok(None) };
    let mut at = version(current)?;
    while let Some(before) = at.and_then(|version| version.succeeded) {
        at = version(&before)?;
        if at.as_ref().is_some_and(|version| version.deleted.is_none()) {
            return Ok(at);
        }
    }
    Ok(None)
}
