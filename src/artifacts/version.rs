//! A version's directory: symbolic links to its content, under the paths of its manifest. Links to the content's place,
//! not to the content: what is mended under its digest is mended here as well, and what is removed is removed in one
//! place.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::garbage::entries;
use super::{ArtifactError, Directory, layout};
use crate::domain::model::{ArtifactFile, ModelId, VersionName};

impl Directory {
    /// Makes the directory of a version, as a whole or not at all. One that is there and right is left alone.
    pub(super) fn link_version(
        &self,
        model: &ModelId,
        version: &VersionName,
        files: &[ArtifactFile],
    ) -> Result<(), ArtifactError> {
        let place = self.layout.version(model, version);
        let is_right = |file: &ArtifactFile| {
            fs::read_link(place.join(file.path.as_str())).is_ok_and(|had| had == self.link_target(file))
        };
        if files.iter().all(is_right) {
            return Ok(());
        }
        let shelf = self.layout.versions().join(model.as_str());
        layout::make(&shelf)?;
        let half = shelf.join(format!(".{version}.{}", layout::random()?));
        self.link_files(&half, files)?;
        crate::failpoint!("deploy.linked");
        if place.symlink_metadata().is_ok() {
            // Somebody has been at it.
            let had = shelf.join(format!(".{version}.{}", layout::random()?));
            fs::rename(&place, &had).map_err(ArtifactError::io("replace", &place))?;
            fs::rename(&half, &place).map_err(ArtifactError::io("make", &place))?;
            remove_tree(&had)?;
        } else {
            fs::rename(&half, &place).map_err(ArtifactError::io("make", &place))?;
        }
        layout::sync(&shelf)
    }

    fn link_files(&self, directory: &Path, files: &[ArtifactFile]) -> Result<(), ArtifactError> {
        let mut made = BTreeSet::new();
        for file in files {
            let link = directory.join(file.path.as_str());
            let above = link.parent().unwrap_or(directory).to_owned();
            if !made.contains(&above) {
                layout::make(&above)?;
                made.insert(above);
            }
            symlink(self.link_target(file), &link).map_err(ArtifactError::io("make the link", &link))?;
        }
        // A link has nothing of its own to sync: it is in its directory.
        made.iter().try_for_each(|directory| layout::sync(directory))
    }

    /// From where the link stands to the content, so that the data directory can be moved as a whole.
    fn link_target(&self, file: &ArtifactFile) -> PathBuf {
        // `versions`, the model, the version, and the directories of its own path.
        let mut target: PathBuf = (0..file.path.names().count() + 2).map(|_| "..").collect();
        let content = self.layout.content(&file.sha256);
        target.push(content.strip_prefix(self.layout.root()).unwrap_or(&content));
        target
    }

    /// Removes the directories of versions that were deleted, and what an end in the middle left behind.
    pub(super) fn tidy_versions(&self) -> Result<(), super::garbage::SweepError> {
        for shelf in entries(&self.layout.versions())? {
            let Some(model) = shelf.file_name().to_str().and_then(|name| name.parse::<ModelId>().ok()) else {
                continue;
            };
            for entry in entries(&shelf.path())? {
                let name = entry.file_name();
                let goes = match name.to_str().map(|name| (name.starts_with('.'), name.parse::<VersionName>())) {
                    Some((true, _)) => true,
                    Some((_, Ok(version))) => {
                        self.store.version(&model, &version)?.is_some_and(|version| version.deleted.is_some())
                    }
                    _ => false,
                };
                if goes {
                    remove_tree(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Removes the directory of a version that was deleted, if it ever had one.
    pub(super) fn unlink_version(&self, model: &ModelId, version: &VersionName) -> Result<(), ArtifactError> {
        let place = self.layout.version(model, version);
        if place.symlink_metadata().is_ok() { remove_tree(&place) } else { Ok(()) }
    }
}

/// Removes a directory of links; nothing that they lead to.
fn remove_tree(directory: &Path) -> Result<(), ArtifactError> {
    let is_directory = directory.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_directory { fs::remove_dir_all(directory) } else { fs::remove_file(directory) };
    removed.map_err(ArtifactError::io("remove", directory))
}
