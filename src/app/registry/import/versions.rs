use std::collections::BTreeSet;

use super::{Import, Known};
use crate::app::registry::RegistryError;
use crate::domain::clm3::{ArtifactRecord, Found, Outcome, Past, Place, VersionRecord, place, version_of};
use crate::domain::model::{ArtifactState, Origin, Version};
use crate::store::StoreError;

impl Import<'_> {
    /// Those that are to be taken; of the others it is told what became of them.
    pub(super) fn new_versions(&mut self, records: &[VersionRecord]) -> Result<Vec<VersionRecord>, RegistryError> {
        let mut new = Vec::new();
        let mut names = BTreeSet::new();
        for record in records {
            let expected = Place::Version { model: self.model.id.to_string(), name: record.version.to_string() };
            if place(&record.source.path) != expected || !names.insert(&record.version) {
                let why = format!("{} is not where a version {} stands, once", record.source.path, record.version);
                return Err(RegistryError::bad("versions", why));
            }
            match self.is_known(&record.source)? {
                Known::Changed => {}
                Known::Same => self.known_version(record)?,
                Known::New => match self.txn.version(&self.model.id, &record.version)? {
                    Some(_) => {
                        let name = &record.version;
                        let why = format!(
                            "there is a version {name} here that came another way: a name is never given twice"
                        );
                        self.refuse(&record.source, why);
                    }
                    None => new.push(record.clone()),
                },
            }
        }
        Ok(new)
    }

    /// One that an earlier import took. Its own file may be there by now.
    fn known_version(&mut self, record: &VersionRecord) -> Result<(), StoreError> {
        let here = self.txn.version(&self.model.id, &record.version)?;
        let deleted = here.as_ref().and_then(|version| version.deleted.as_ref());
        let notes = deleted.map(|tombstone| format!("{} deleted it here at {}", tombstone.by, tombstone.at.rfc3339()));
        self.report(&record.source, Outcome::Already, notes.into_iter().collect());
        if here.as_ref().is_some_and(lacks_files) {
            self.want(record);
        }
        Ok(())
    }

    fn want(&mut self, record: &VersionRecord) {
        if record.artifact.as_ref().is_some_and(|artifact| artifact.found == Found::There) {
            self.wanted.push(record.version.clone());
        }
    }

    /// Makes versions of the new ones.
    pub(super) fn take_versions(&mut self, records: &[VersionRecord], past: &Past) -> Result<(), StoreError> {
        for record in records {
            let life = past.lives.get(&record.version).cloned().unwrap_or_default();
            let version = version_of(&self.model.id, record, &life);
            *self.model.counts.of(version.stage) += 1;
            self.versions.insert(record.version.clone(), version);
            self.taken(&record.source)?;
            self.report(&record.source, Outcome::Taken, record.artifact.iter().filter_map(about_file).collect());
            self.want(record);
        }
        Ok(())
    }
}

/// Whether an imported version still waits for its files.
fn lacks_files(version: &Version) -> bool {
    version.deleted.is_none()
        && matches!(version.provenance.origin, Origin::Import(_))
        && version.artifacts.as_ref().is_none_or(|artifacts| artifacts.state == ArtifactState::Gone)
}

fn about_file(artifact: &ArtifactRecord) -> Option<String> {
    let path = &artifact.path;
    match artifact.found {
        Found::There => None,
        Found::Empty => Some(format!("its file {path} is empty: it is kept and marked so, and cannot be promoted")),
        // Why it is not taken, whoever looked has said.
        Found::Gone if artifact.at.is_some() => {
            Some("it is marked as without its file, and cannot be promoted".to_owned())
        }
        Found::Gone => Some(format!("its file {path} was not found: it is marked so, and cannot be promoted")),
    }
}
