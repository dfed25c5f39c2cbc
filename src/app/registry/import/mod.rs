//! Taking over a model of the predecessor's registry: one transaction, and none at all where everything is here already.
//!
//! A file is known by its path and its digest. One that was taken before is not taken again, also where it has changed
//! since, or where what it became was deleted here: from the first import on, this registry decides. No message goes to the
//! bus, because nothing happened now; no gate is asked, because nothing moves.

mod evaluations;
mod life;
mod versions;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ask, Registry, RegistryError};
use crate::domain::audit::AuditEntry;
use crate::domain::clm3::{FileReport, ModelRecord, Outcome, Source, about, past};
use crate::domain::model::{Model, ModelId, Version, VersionName};
use crate::domain::time::Micros;
use crate::store::{ImportedFile, StoreError, WriteTxn};

/// What came of the files of a model, or would come of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelImport {
    /// The model.
    pub model_id: ModelId,
    /// Whether nothing was changed, because only the report was asked for.
    pub dry_run: bool,
    /// What is in production, or would be.
    pub production: Option<VersionName>,
    /// Each file.
    pub files: Vec<FileReport>,
    /// What there is to say about the model as a whole.
    pub notes: Vec<String>,
    /// Versions whose own file was found, and is to be sent now.
    pub wanted: Vec<VersionName>,
}

/// Why the transaction is given up.
enum GivenUp {
    /// There is an answer, and nothing to commit.
    Answered(Box<ModelImport>),
    /// It failed.
    Failed(RegistryError),
}

impl From<StoreError> for GivenUp {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RegistryError> for GivenUp {
    fn from(error: RegistryError) -> Self {
        Self::Failed(error)
    }
}

impl Registry {
    /// Takes what is new of a model's files; with `dry_run` it only tells what that would be.
    pub fn import(&self, ask: &Ask, record: &ModelRecord, dry_run: bool) -> Result<ModelImport, RegistryError> {
        let imported = self.store.write(|txn| {
            let (answer, changed) = self.take_over(txn, ask, record, dry_run)?;
            if changed && !dry_run { Ok(answer) } else { Err(GivenUp::Answered(answer.into())) }
        });
        match imported {
            Ok(answer) => {
                self.settle(&record.model_id);
                Ok(answer)
            }
            Err(GivenUp::Answered(answer)) => Ok(*answer),
            Err(GivenUp::Failed(error)) => Err(error),
        }
    }

    /// The answer, and whether there is anything to commit.
    fn take_over(
        &self,
        txn: &WriteTxn,
        ask: &Ask,
        record: &ModelRecord,
        dry_run: bool,
    ) -> Result<(ModelImport, bool), RegistryError> {
        let here = txn.model(&record.model_id)?;
        let is_new = here.is_none();
        let model = here.unwrap_or_else(|| Model::new(record.model_id.clone(), about(record), ask.now));
        let at = ask.now.max(model.changed_at);
        let mut import = Import::new(txn, ask, at, model, dry_run);
        let versions = import.new_versions(&record.versions)?;
        let past = past(&versions, ask.now);
        import.take_versions(&versions, &past)?;
        let evaluations = import.take_evaluations(&record.evaluations, &self.terms)?;
        if versions.is_empty() && evaluations.is_empty() {
            return Ok((import.answer(), false));
        }
        if is_new {
            import.live_through(&past, &evaluations)?;
        } else {
            import.join(&past)?;
        }
        import.store(versions.len(), evaluations.len())?;
        import.remark(&past);
        Ok((import.answer(), true))
    }
}

/// An import of a model under way.
struct Import<'a> {
    txn: &'a WriteTxn,
    ask: &'a Ask,
    /// The instant of the import: the caller's, but never before the entry before it.
    at: Micros,
    model: Model,
    dry_run: bool,
    /// Versions that are new or have changed; stored at the end.
    versions: BTreeMap<VersionName, Version>,
    files: BTreeMap<String, FileReport>,
    notes: Vec<String>,
    wanted: Vec<VersionName>,
}

impl<'a> Import<'a> {
    fn new(txn: &'a WriteTxn, ask: &'a Ask, at: Micros, model: Model, dry_run: bool) -> Self {
        Self {
            txn,
            ask,
            at,
            model,
            dry_run,
            versions: BTreeMap::new(),
            files: BTreeMap::new(),
            notes: Vec::new(),
            wanted: Vec::new(),
        }
    }

    fn answer(self) -> ModelImport {
        ModelImport {
            model_id: self.model.id,
            dry_run: self.dry_run,
            production: self.model.production,
            files: self.files.into_values().collect(),
            notes: self.notes,
            wanted: self.wanted,
        }
    }

    fn report(&mut self, source: &Source, outcome: Outcome, notes: Vec<String>) {
        self.files.insert(source.path.clone(), FileReport::new(&source.path, outcome, notes));
    }

    fn refuse(&mut self, source: &Source, why: String) {
        self.report(source, Outcome::NotTaken, vec![why]);
    }

    /// Adds to what there is to say about a file.
    fn note(&mut self, path: &str, note: String) {
        if let Some(file) = self.files.get_mut(path) {
            file.notes.push(note);
        }
    }

    /// Whether the file was taken by an earlier import; one that has changed since is refused here.
    fn is_known(&mut self, source: &Source) -> Result<Known, StoreError> {
        Ok(match self.txn.imported(&self.model.id, &source.path)? {
            None => Known::New,
            Some(file) if file.sha256 == source.sha256 => Known::Same,
            Some(file) => {
                let at = file.at.rfc3339();
                self.refuse(
                    source,
                    format!("it has changed since it was imported at {at}: what is here stays as it is"),
                );
                Known::Changed
            }
        })
    }

    /// Remembers that the file was taken.
    fn taken(&mut self, source: &Source) -> Result<(), StoreError> {
        self.txn.put_imported(&self.model.id, &source.path, &ImportedFile { at: self.at, sha256: source.sha256 })
    }

    /// A version as it is here, or will be.
    fn version(&self, name: &VersionName) -> Result<Option<Version>, StoreError> {
        match self.versions.get(name) {
            Some(version) => Ok(Some(version.clone())),
            None => self.txn.version(&self.model.id, name),
        }
    }

    /// Stores versions and model, and records who imported them.
    fn store(&mut self, versions: usize, evaluations: usize) -> Result<(), StoreError> {
        for version in self.versions.values() {
            self.txn.put_version(version)?;
        }
        self.txn.put_model(&self.model)?;
        let subject = format!("model {}", self.model.id);
        let why = format!("{versions} versions, {evaluations} evaluations");
        self.txn.audit(AuditEntry::done(self.ask.now, &self.ask.actor, "import.clm3", subject, why))
    }
}

/// What an earlier import made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    New,
    Same,
    Changed,
}
