use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Missing};
use super::{Ask, Registry, RegistryError};
use crate::domain::model::{
    Added, ArtifactFile, Artifacts, Digest, Keeping, ManifestError, Model, ModelId, Version, VersionName,
};
use crate::domain::role::Role;
use crate::store::StoreError;

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
        let attached = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let added = take_file(ask, &mut version, file.clone(), limit)?;
            if added == Added::New {
                change.nothing_waits(name)?;
                change.txn.use_artifact(file)?;
                change.audit("model.attach", name, &told(&file.path, file.size, &file.sha256))?;
            }
            Ok(put(change, &version, added == Added::New)?)
        })?;
        self.deploy_imported(&attached)?;
        Ok(attached)
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
        let attached = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let added = version.take_in_place(artifacts.clone())?;
            if added == Added::New {
                change.nothing_waits(name)?;
                change.audit(
                    "model.attach",
                    name,
                    &format!("in place: {directory}, {} files", artifacts.files.len()),
                )?;
            }
            Ok(put(change, &version, added == Added::New)?)
        })?;
        self.deploy_imported(&attached)?;
        Ok(attached)
    }

    /// Only what was imported can be in production before its files are there.
    fn deploy_imported(&self, attached: &Attached) -> Result<(), RegistryError> {
        let is_deployed = |model: &Model| model.production.as_ref() == Some(&attached.version);
        if attached.new && self.store.model(&attached.model)?.as_ref().is_some_and(is_deployed) {
            self.settle(&attached.model);
        }
        Ok(())
    }
}

/// Takes a file into a version's manifest, as far as whoever asks may.
pub fn take_file(ask: &Ask, version: &mut Version, file: ArtifactFile, limit: u64) -> Result<Added, ManifestError> {
    if ask.grant.role() >= Role::Admin && version.awaits_file() {
        version.take_awaited_file(file, limit)
    } else {
        version.take_file(file, limit)
    }
}

fn put(change: &Change<'_>, version: &Version, new: bool) -> Result<Attached, StoreError> {
    change.txn.put_version(version)?;
    let artifacts = version.artifacts.as_ref();
    Ok(Attached {
        model: version.model.clone(),
        version: version.name.clone(),
        new,
        files: artifacts.map_or(0, |artifacts| artifacts.files.len()),
        size: artifacts.map_or(0, Artifacts::size),
    })
}

fn told(path: &impl std::fmt::Display, size: u64, digest: &Digest) -> String {
    format!("{path}, {size} bytes, sha256 {digest}")
}
