//! What every change has in common: its key, what its caller believes, its entry, its record, its message.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Ask, Expected, Registry, RegistryError, WHY_BYTES};
use crate::app::change::once;
use crate::domain::audit::AuditEntry;
use crate::domain::bus::BusEvent;
use crate::domain::gates::Verdict;
use crate::domain::model::{HistoryEntry, Model, ModelId, ModelName, Stage, Step, Version, VersionName};
use crate::domain::time::Micros;
use crate::store::{OutboxKind, StoreError, WriteTxn};

/// Whether a change may be the first of its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The model has to be there.
    Refuse,
    /// It is made where it is not.
    Make,
}

/// A change of one model under way.
pub(super) struct Change<'a> {
    pub(super) txn: &'a WriteTxn,
    pub(super) ask: &'a Ask,
    pub(super) model: Model,
    /// The instant of the change: the caller's, but never before the entry before it.
    pub(super) at: Micros,
    /// In whose name entries are made, where it is not the caller's.
    pub(super) asked_by: Option<String>,
}

impl Registry {
    /// Makes a change in one transaction, or gives the answer that its key was given before. `request` says what is asked
    /// for, so that a key used again for something else is refused.
    pub(super) fn change<T: Serialize + DeserializeOwned>(
        &self,
        ask: &Ask,
        id: &ModelId,
        missing: Missing,
        request: &str,
        make: impl FnOnce(&mut Change<'_>) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        self.store.write(|txn| {
            once(txn, ask.key.as_ref(), request, ask.now, || {
                let model = match txn.model(id)? {
                    Some(model) => model,
                    None if missing == Missing::Make => Model::new(id.clone(), ModelName::of(id)?, ask.now),
                    None => return Err(RegistryError::NoModel(id.clone())),
                };
                let at = ask.now.max(model.changed_at);
                let mut change = Change { txn, ask, model, at, asked_by: None };
                change.as_expected()?;
                let answer = make(&mut change)?;
                txn.put_model(&change.model)?;
                Ok(answer)
            })
        })
    }
}

impl Change<'_> {
    /// Refuses a caller who has seen something else than what is so.
    fn as_expected(&self) -> Result<(), RegistryError> {
        let Model { id, revision, production, .. } = &self.model;
        match &self.ask.expected {
            None => Ok(()),
            Some(Expected::Revision(seen)) if seen == revision => Ok(()),
            Some(Expected::Production(seen)) if seen == production => Ok(()),
            Some(Expected::Revision(seen)) if seen > revision => Err(RegistryError::Changed(format!(
                "{id} has come to r{revision}, and you say r{seen}: look at it again"
            ))),
            Some(Expected::Revision(seen)) => Err(RegistryError::Changed(self.changed_since(*seen)?)),
            Some(Expected::Production(seen)) => {
                let name = |version: &Option<VersionName>| {
                    version.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let by = self.txn.last_deployment(id)?.map(|entry| format!(": {}", entry.told()));
                Err(RegistryError::Changed(format!(
                    "of {id}, {} is in production, not {}{}",
                    name(production),
                    name(seen),
                    by.unwrap_or_default()
                )))
            }
        }
    }

    /// What happened after `seen`, the newest first.
    fn changed_since(&self, seen: u64) -> Result<String, StoreError> {
        const TOLD: usize = 3;
        let Model { id, revision, .. } = &self.model;
        let entries = self.txn.history_after(id, seen, TOLD)?;
        let told: Vec<String> = entries.iter().map(HistoryEntry::told).collect();
        let more = (revision - seen).saturating_sub(told.len() as u64);
        let more = if more > 0 { format!("; and {more} more before") } else { String::new() };
        Ok(format!("{id} has changed since you looked at it (r{seen}, now r{revision}): {}{more}", told.join("; ")))
    }

    /// A version that is there and was not deleted.
    pub(super) fn version(&self, name: &VersionName) -> Result<Version, RegistryError> {
        let id = &self.model.id;
        let version = self.txn.version(id, name)?.ok_or_else(|| RegistryError::NoVersion(id.clone(), name.clone()))?;
        match &version.deleted {
            None => Ok(version),
            Some(tombstone) => Err(RegistryError::Deleted(format!(
                "version {name} of {id} was deleted by {} at {}: {}",
                tombstone.by,
                tombstone.at.rfc3339(),
                tombstone.why
            ))),
        }
    }

    /// Puts a version at another stage; it is stored by whoever calls.
    pub(super) fn restage(&mut self, version: &mut Version, stage: Stage) {
        *self.model.counts.of(version.stage) -= 1;
        *self.model.counts.of(stage) += 1;
        version.stage = stage;
    }

    /// Makes an entry: the model's next revision.
    pub(super) fn enter(
        &mut self,
        version: &VersionName,
        step: Step,
        why: &str,
        verdict: Option<Verdict>,
    ) -> Result<(), StoreError> {
        self.model.revision += 1;
        self.model.changed_at = self.at;
        let began = matches!(step, Step::Promoted { .. } | Step::RolledBack { .. });
        let (by, approved_by) = match &self.asked_by {
            Some(asked_by) => (asked_by.clone(), Some(self.ask.actor.name.clone())),
            None => (self.ask.actor.name.clone(), None),
        };
        let entry = HistoryEntry {
            revision: self.model.revision,
            at: self.at,
            model: self.model.id.clone(),
            version: version.clone(),
            step,
            production: self.model.production.clone(),
            by,
            approved_by,
            why: why.to_owned(),
            verdict,
        };
        self.txn.put_history(&entry, began)
    }

    /// Records who did it.
    pub(super) fn audit(&self, action: &str, version: &VersionName, why: &str) -> Result<(), StoreError> {
        let subject = format!("model {} {version}", self.model.id);
        self.txn.audit(AuditEntry::done(self.ask.now, &self.ask.actor, action, subject, why))
    }

    /// Tells the bus.
    pub(super) fn tell(&self, event: &BusEvent) -> Result<(), RegistryError> {
        self.txn.put_out(OutboxKind::Bus, self.at, serde_json::to_string(event)?)?;
        Ok(())
    }
}

/// A reason: said, and no novel.
pub(super) fn reason(why: &str) -> Result<&str, RegistryError> {
    let why = why.trim();
    if why.is_empty() || why.len() > WHY_BYTES {
        return Err(RegistryError::bad("why", format!("say why, in at most {WHY_BYTES} bytes")));
    }
    Ok(why)
}

/// The fingerprint of what somebody sent in, for the request of a key.
pub(super) fn print(sent: &impl std::fmt::Debug) -> String {
    let print = crate::store::fingerprint(format!("{sent:?}").as_bytes());
    crate::domain::account::hex(&print)
}
