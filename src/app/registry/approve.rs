use super::change::{Change, Missing, reason};
use super::promote::Promoted;
use super::{Ask, Registry, RegistryError};
use crate::domain::access::{ActorKind, acting_token};
use crate::domain::model::{ModelId, Step, VersionName};
use crate::store::{Approval, StoreError};

use super::advance::Moved;

impl Registry {
    /// Approves a promotion that somebody else asked for, and carries it out: the gates are asked anew.
    pub fn approve(&self, ask: &Ask, id: &ModelId, name: &VersionName, why: &str) -> Result<Promoted, RegistryError> {
        let why = why.trim();
        if !why.is_empty() {
            reason(why)?;
        }
        self.is_as_registered(id, name)?;
        let request = format!("model.approve {id} {name}: {why}");
        let promoted = self.change(ask, id, Missing::Refuse, &request, |change| {
            let approval = change.approval(name)?;
            let obstacle = match ask.actor.kind {
                ActorKind::Person => None,
                ActorKind::Token => Some("a person has to approve, and a token is none"),
                ActorKind::Local => Some("sign in to approve: over the socket nobody can tell which person it is"),
                ActorKind::Own => Some("a person has to approve, and the appliance is none"),
            };
            if let Some(obstacle) = obstacle {
                return Err(RegistryError::Forbidden(obstacle.into()));
            }
            if approval.asked_by == ask.actor.name || approval.person == ask.actor.name {
                return Err(RegistryError::Forbidden(
                    "who asked for it cannot approve it: a second person has to".into(),
                ));
            }
            let mut version = change.version(name)?;
            self.may_promote(change, &version)?;
            if approval.replaces != change.model.production {
                // Whoever changes production voids what waits, so this is only met in a file that was changed by hand.
                return Err(RegistryError::Changed(format!(
                    "something else is in production of {id} since {} asked: ask again",
                    approval.asked_by
                )));
            }
            let passage = self.passage(change, &version, approval.force)?;
            change.asked_by = Some(approval.asked_by.clone());
            let past = if passage.forced { " past its gates" } else { "" };
            let said = if why.is_empty() { String::new() } else { format!("; {why}") };
            let told = format!("{} asked for it{past}: {}{said}", approval.asked_by, approval.why);
            self.promote_in(change, &mut version, &approval.why, passage, ("model.approve", &told))
        })?;
        Ok(self.in_effect(id, promoted))
    }

    /// Refuses a promotion that waits, or withdraws one's own.
    pub fn deny(&self, ask: &Ask, id: &ModelId, name: &VersionName, why: &str) -> Result<Moved, RegistryError> {
        let why = reason(why)?;
        let request = format!("model.deny {id} {name}: {why}");
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let approval = change.approval(name)?;
            change.txn.remove_approval(id, name)?;
            change.enter(name, Step::ApprovalDenied, why, None)?;
            let withdrawn = if approval.asked_by == ask.actor.name { "withdrawn: " } else { "" };
            change.audit("model.deny", name, &format!("{withdrawn}{why}"))?;
            let status = change.model.status(&change.version(name)?);
            Ok(Moved {
                model: id.clone(),
                version: name.clone(),
                from: status,
                status,
                revision: change.model.revision,
            })
        })
    }
}

impl Change<'_> {
    /// The person who asks: behind a token, whoever made it.
    pub(super) fn person(&self) -> Result<String, StoreError> {
        let mut name = self.ask.actor.name.clone();
        let tokens = self.txn.tokens()?;
        // A token may have been made with another one; each is made after the one that it was made with.
        for _ in 0..=tokens.len() {
            let made = acting_token(&name).and_then(|own| tokens.iter().find(|t| t.name.as_str() == own));
            match made {
                Some(token) => name = token.created_by.clone(),
                None => break,
            }
        }
        Ok(name)
    }

    /// Refuses while a promotion of `name` waits: what is approved is what was asked for.
    pub(super) fn nothing_waits(&self, name: &VersionName) -> Result<(), RegistryError> {
        let waits = self.txn.approvals_of(&self.model.id)?.into_iter().find(|approval| approval.version == *name);
        match waits.filter(|approval| approval.expires_at > self.at) {
            None => Ok(()),
            Some(approval) => Err(RegistryError::Conflict(format!(
                "the promotion of {name} of {} waits for a second person ({} asked): it takes no files until that is \
                 approved or withdrawn",
                self.model.id, approval.asked_by
            ))),
        }
    }

    /// The promotion of `name` that waits.
    fn approval(&self, name: &VersionName) -> Result<Approval, RegistryError> {
        let id = &self.model.id;
        let approval = self.txn.approvals_of(id)?.into_iter().find(|approval| approval.version == *name);
        match approval {
            None => Err(RegistryError::Conflict(format!("no promotion of {name} of {id} waits for a second person"))),
            Some(approval) if approval.expires_at <= self.at => Err(RegistryError::Conflict(format!(
                "the promotion of {name} of {id} that {} asked for waited until {}: ask again",
                approval.asked_by,
                approval.expires_at.rfc3339()
            ))),
            Some(approval) => Ok(approval),
        }
    }

    /// Forgets what waits for `name`: it is over with it.
    pub(super) fn drop_approval(&self, name: &VersionName) -> Result<(), StoreError> {
        self.txn.remove_approval(&self.model.id, name)
    }

    /// Something else is in production now: what waited to replace the one before is void, and says so; but for
    /// `promoted`, which has got what it waited for.
    pub(super) fn void_approvals(&mut self, promoted: &VersionName) -> Result<(), StoreError> {
        self.asked_by = None;
        for approval in self.txn.approvals_of(&self.model.id)? {
            self.drop_approval(&approval.version)?;
            if approval.version != *promoted && approval.expires_at > self.at {
                let why = format!("{promoted} went into production meanwhile: ask again");
                self.enter(&approval.version, Step::ApprovalDenied, &why, None)?;
            }
        }
        Ok(())
    }
}
