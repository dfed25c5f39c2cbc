use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing, reason};
use super::gates::verdict_for;
use super::{Ask, Registry, RegistryError};
use crate::domain::bus::BusEvent;
use crate::domain::gates::{Goal, Verdict};
use crate::domain::model::{
    ArtifactState, Forced, ModelId, ModelStatus, NoWay, Stage, Step, Version, VersionName, may_move,
};
use crate::domain::role::Role;
use crate::domain::time::{Micros, rfc3339};
use crate::store::{Approval, StoredVerdicts};

/// Characters that the reason of a forced promotion has at least.
pub const FORCE_WHY_CHARS: usize = 20;

/// What came of asking for a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Promoted {
    /// It is in production.
    Done {
        /// The model.
        model: ModelId,
        /// The version.
        version: VersionName,
        /// What was in production until then.
        previous: Option<VersionName>,
        /// Whether it went past closed gates.
        forced: bool,
        /// The model's revision since.
        revision: u64,
        /// What those who load it should know: the pointer on the disk is not there yet, or a file is missing.
        warning: Option<String>,
    },
    /// It waits for a second person.
    Waiting {
        /// The model.
        model: ModelId,
        /// The version.
        version: VersionName,
        /// Who asked.
        asked_by: String,
        /// It has to be asked for again from then on.
        #[serde(with = "rfc3339")]
        #[schemars(with = "Micros")]
        expires_at: Micros,
        /// The model's revision since.
        revision: u64,
    },
}

/// By what right a version goes into production.
pub(super) struct Passage {
    /// What the gates say.
    pub(super) verdict: Verdict,
    /// Whether they are closed, and passed by.
    pub(super) forced: bool,
}

impl Registry {
    /// Puts a version into production, through its gates or, with `force`, past them; or asks for a second person, where
    /// one is needed.
    pub fn promote(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        why: &str,
        force: bool,
    ) -> Result<Promoted, RegistryError> {
        let why = reason(why)?;
        if force {
            may_force(ask, why)?;
        }
        self.is_as_registered(id, name)?;
        let request = format!("model.promote {id} {name} {force}: {why}");
        let promoted = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            self.may_promote(change, &version)?;
            let passage = self.passage(change, &version, force)?;
            if self.promotion.approval {
                return self.ask_second_person(change, name, why, force, passage.verdict);
            }
            let past = if passage.forced { "past its gates: " } else { "" };
            let told = format!("{past}{why}");
            self.promote_in(change, &mut version, why, passage, ("model.promote", &told))
        })?;
        Ok(self.in_effect(id, promoted))
    }

    /// Has the disk follow what was committed, and says what is in the way of that.
    pub(super) fn in_effect(&self, id: &ModelId, mut promoted: Promoted) -> Promoted {
        if let Promoted::Done { warning, .. } = &mut promoted {
            crate::failpoint!("registry.promote.committed");
            *warning = self.settle(id);
        }
        promoted
    }

    /// Has the disk follow what is in production of a model; what is in the way of that, for who asked. After a commit.
    pub(super) fn settle(&self, id: &ModelId) -> Option<String> {
        self.deployment.reconcile(id)
    }

    /// What the production gates say now, and whether they are passed by. Closed ones are an error without force.
    pub(super) fn passage(
        &self,
        change: &Change<'_>,
        version: &Version,
        force: bool,
    ) -> Result<Passage, RegistryError> {
        let verdicts = self.judge(change.txn, &change.model, version)?;
        let Some(verdict) = verdict_for(&verdicts, Goal::Production).cloned() else {
            return Err(RegistryError::Gates("there is no verdict".into()));
        };
        if !verdict.passed && !force {
            return Err(RegistryError::Gates(verdict.obstacles()));
        }
        change.txn.put_verdicts(&change.model.id, &version.name, &StoredVerdicts { at: change.at, verdicts })?;
        let forced = !verdict.passed;
        Ok(Passage { verdict, forced })
    }

    /// The whole way into production, an entry for each move; what was there is retired. `record` is the action and its
    /// reason as the audit log has them.
    pub(super) fn promote_in(
        &self,
        change: &mut Change<'_>,
        version: &mut Version,
        why: &str,
        Passage { verdict, forced }: Passage,
        record: (&str, &str),
    ) -> Result<Promoted, RegistryError> {
        if version.stage == Stage::Training {
            change.step_to(version, Stage::Shadow, why, None)?;
        }
        if version.stage == Stage::Shadow {
            change.step_to(version, Stage::Candidate, why, None)?;
        }
        let from = change.model.status(version);
        change.restage(version, Stage::Deployed);
        let previous = change.replace(version)?;
        version.succeeded = previous.clone();
        // The history, the bus and the mark of force name the same person: who asked, also where another one approved.
        let by = change.asked_by.clone().unwrap_or_else(|| change.ask.actor.name.clone());
        if forced {
            version.forced.push(Forced { by: by.clone(), at: change.at, why: why.to_owned() });
        }
        change.model.promoted_at = Some(change.at);
        change.model.mark_trials(change.txn.last_evaluation_id()?);
        let name = version.name.clone();
        change.enter(&name, Step::Promoted { from, previous: previous.clone(), forced }, why, Some(verdict))?;
        change.void_approvals(&name)?;
        change.tell(&BusEvent::promoted(&change.model.id, &name, previous.as_ref(), &by, change.at))?;
        self.due_hook(change, &name, previous.as_ref())?;
        change.txn.put_version(version)?;
        change.audit(record.0, &name, record.1)?;
        let (model, revision) = (change.model.id.clone(), change.model.revision);
        Ok(Promoted::Done { model, version: name, previous, forced, revision, warning: None })
    }

    /// Makes the hook due, where one is configured.
    pub(super) fn due_hook(
        &self,
        change: &Change<'_>,
        name: &VersionName,
        previous: Option<&VersionName>,
    ) -> Result<(), RegistryError> {
        if !self.promotion.hook.is_empty() {
            change.txn.queue_hook(&change.model.id, name, previous, change.at)?;
        }
        Ok(())
    }

    fn ask_second_person(
        &self,
        change: &mut Change<'_>,
        name: &VersionName,
        why: &str,
        force: bool,
        verdict: Verdict,
    ) -> Result<Promoted, RegistryError> {
        let id = change.model.id.clone();
        let pending = change.txn.approvals_of(&id)?.into_iter().find(|approval| approval.version == *name);
        if let Some(pending) = pending.filter(|approval| approval.expires_at > change.at) {
            return Err(RegistryError::Conflict(format!(
                "{} has asked for this promotion already: it waits for a second person until {}",
                pending.asked_by,
                pending.expires_at.rfc3339()
            )));
        }
        let patience = u64::try_from(self.promotion.approval_expires.as_micros()).unwrap_or(u64::MAX);
        let approval = Approval {
            model: id.clone(),
            version: name.clone(),
            replaces: change.model.production.clone(),
            asked_by: change.ask.actor.name.clone(),
            person: change.person()?,
            asked_at: change.at,
            expires_at: change.at.plus(patience),
            why: why.to_owned(),
            force,
        };
        change.txn.put_approval(&approval)?;
        change.enter(name, Step::ApprovalAsked, why, Some(verdict))?;
        change.audit("model.promote.ask", name, why)?;
        let Approval { asked_by, expires_at, .. } = approval;
        Ok(Promoted::Waiting {
            model: id,
            version: name.clone(),
            asked_by,
            expires_at,
            revision: change.model.revision,
        })
    }
}

impl Change<'_> {
    /// Names a deployed version as the one in production; what it replaces.
    pub(super) fn replace(&mut self, version: &mut Version) -> Result<Option<VersionName>, RegistryError> {
        let previous = self.model.production.replace(version.name.clone());
        version.promoted_at = Some(self.at);
        if let Some(previous) = &previous
            && let Some(mut retired) = self.txn.version(&self.model.id, previous)?
        {
            retired.retired_at = Some(self.at);
            self.txn.put_version(&retired)?;
        }
        Ok(previous)
    }
}

/// Only an admin goes past the gates, and says why at some length.
fn may_force(ask: &Ask, why: &str) -> Result<(), RegistryError> {
    if ask.grant.role() < Role::Admin {
        return Err(RegistryError::Forbidden("only an admin may promote a version past its gates".into()));
    }
    if why.chars().count() < FORCE_WHY_CHARS {
        let why = format!("say in at least {FORCE_WHY_CHARS} characters why the gates are passed by");
        return Err(RegistryError::bad("why", why));
    }
    Ok(())
}

impl Registry {
    /// Whether a version can go into production at all, whatever its gates say.
    pub(super) fn may_promote(&self, change: &Change<'_>, version: &Version) -> Result<(), RegistryError> {
        let id = &change.model.id;
        match change.model.status(version) {
            ModelStatus::Training | ModelStatus::Shadow | ModelStatus::Candidate => {}
            ModelStatus::Production => {
                let why = format!("version {} of {id} is in production already", version.name);
                return Err(RegistryError::Conflict(why));
            }
            ModelStatus::Retired => {
                let why = "it was in production before: roll back to it";
                return Err(NoWay { from: ModelStatus::Retired, to: ModelStatus::Production, why }.into());
            }
            ModelStatus::Failed => may_move(ModelStatus::Failed, ModelStatus::Production)?,
        }
        self.has_its_files(version)
    }

    /// Reads the files that a version which is about to go into production left where they are: whoever may write there may
    /// have changed them since they were registered. Before the transaction, which others wait for.
    pub(super) fn is_as_registered(&self, id: &ModelId, name: &VersionName) -> Result<(), RegistryError> {
        // What cannot be promoted anyhow is refused without; a request that is sent again finds it deployed.
        let may_come = |version: &Version| {
            version.deleted.is_none()
                && !matches!(version.stage, Stage::Deployed | Stage::Failed)
                && has_files(version).is_ok()
        };
        match self.store.version(id, name)?.filter(may_come).and_then(|version| self.deployment.altered(&version)) {
            Some(why) => Err(RegistryError::Conflict(format!(
                "version {name} of {id} cannot go into production: {why}; register a new version with what is there"
            ))),
            None => Ok(()),
        }
    }

    /// Whether its files are known, and there.
    pub(super) fn has_its_files(&self, version: &Version) -> Result<(), RegistryError> {
        has_files(version)?;
        match self.deployment.lacks(version) {
            Some(why) => Err(RegistryError::Conflict(format!(
                "version {} of {} cannot go into production: {why}",
                version.name, version.model
            ))),
            None => Ok(()),
        }
    }
}

/// Without files there is nothing to put into production.
pub(super) fn has_files(version: &Version) -> Result<(), RegistryError> {
    let what = match &version.artifacts {
        None => "has no files: upload them first",
        Some(artifacts) => match artifacts.state {
            ArtifactState::Empty => "has a file without content: register a new version with whole files",
            ArtifactState::Gone => "lost its files before they came here: register a new version with them",
            ArtifactState::Sound if artifacts.files.is_empty() => "has no files: upload them first",
            ArtifactState::Sound => return Ok(()),
        },
    };
    Err(RegistryError::Conflict(format!("version {} of {} {what}", version.name, version.model)))
}
