use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing};
use super::{Ask, Registry, RegistryError};
use crate::domain::model::{
    Added, ArtifactFile, Artifacts, Digest, Keeping, ModelId, ModelStatus, Version, VersionName,
};

/// What became of a file, or of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attached {
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// Whether it was not there before.
    pub new: bool,
    /// Files of the version now.
    pub files: usize,
    /// Their bytes together.
    pub size: u64,
}

impl Registry {
    /// Takes a file, which is in its place already, into a version's manifest; `limit` is for the bytes of all its files.
    /// It is no step of the version's life: the log has it, the history does not.
    pub fn attach(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        file: &ArtifactFile,
        limit: u64,
    ) -> Result<Attached, RegistryError> {
        let request = format!("model.attach {id} {name}: {} {} {}", file.path, file.size, file.sha256);
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = open_for_files(change, name)?;
            let mut artifacts = version.artifacts.take().unwrap_or_else(Artifacts::kept);
            let added = artifacts.add(file.clone(), limit)?;
            if added == Added::New {
                change.txn.use_artifact(file)?;
                change.audit("model.attach", name, &told(&file.path, file.size, &file.sha256))?;
            }
            Ok(put(change, version, artifacts, added == Added::New)?)
        })
    }

    /// Registers files where they are: all of a version's at once, instead of taking them in.
    pub fn attach_in_place(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        artifacts: &Artifacts,
    ) -> Result<Attached, RegistryError> {
        let Keeping::InPlace(directory) = &artifacts.keeping else {
            return Err(RegistryError::bad("in_place", "name the directory that the files are in"));
        };
        let request = format!("model.attach {id} {name}: {}", super::change::print(artifacts));
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let version = open_for_files(change, name)?;
            match &version.artifacts {
                Some(had) if had == artifacts => return Ok(put(change, version, artifacts.clone(), false)?),
                Some(_) => {
                    return Err(RegistryError::Conflict(format!(
                        "version {name} of {id} has its files already: they are not replaced; register a new version"
                    )));
                }
                None => {}
            }
            change.audit("model.attach", name, &format!("in place: {directory}, {} files", artifacts.files.len()))?;
            Ok(put(change, version, artifacts.clone(), true)?)
        })
    }
}

/// A version whose files may still change: what was in production stays what it was.
fn open_for_files(change: &Change<'_>, name: &VersionName) -> Result<Version, RegistryError> {
    let version = change.version(name)?;
    match change.model.status(&version) {
        status @ (ModelStatus::Production | ModelStatus::Retired) => Err(RegistryError::Conflict(format!(
            "version {name} of {} is {status}: its files stay as they are; register a new version",
            change.model.id
        ))),
        _ => Ok(version),
    }
}

fn put(
    change: &Change<'_>,
    mut version: Version,
    artifacts: Artifacts,
    new: bool,
) -> Result<Attached, crate::store::StoreError> {
    let (files, size) = (artifacts.files.len(), artifacts.size());
    version.artifacts = Some(artifacts);
    change.txn.put_version(&version)?;
    Ok(Attached { model: version.model, version: version.name, new, files, size })
}

fn told(path: &impl std::fmt::Display, size: u64, digest: &Digest) -> String {
    format!("{path}, {size} bytes, sha256 {digest}")
}
