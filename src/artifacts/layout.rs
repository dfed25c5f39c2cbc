use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::ArtifactError;
use crate::domain::model::{Digest, ModelId, VersionName};

/// Of our directories: the group that the trading services are in reads.
const DIRECTORY_MODE: u32 = 0o750;

/// Where everything is.
pub(super) struct Layout {
    /// The data file's directory.
    pub(super) base: PathBuf,
}

impl Layout {
    pub(super) fn beside(data_file: &Path) -> Self {
        let base = data_file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { base: base.to_owned() }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.base.join("artifacts")
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.root().join("incoming")
    }

    pub(super) fn contents(&self) -> PathBuf {
        self.root().join("sha256")
    }

    pub(super) fn content(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (shelf, rest) = name.split_at(2);
        self.contents().join(shelf).join(rest)
    }

    pub(super) fn versions(&self) -> PathBuf {
        self.root().join("versions")
    }

    pub(super) fn version(&self, model: &ModelId, version: &VersionName) -> PathBuf {
        self.versions().join(model.as_str()).join(version.as_str())
    }

    pub(super) fn production(&self) -> PathBuf {
        self.base.join("production")
    }

    pub(super) fn pointer(&self, model: &ModelId) -> PathBuf {
        self.production().join(model.as_str())
    }
}

/// Makes `directory`, and those above it, where they are missing; each is on disk when this returns.
pub(super) fn make(directory: &Path) -> Result<(), ArtifactError> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(above) = directory.parent() else { return Err(ArtifactError::io("make", directory)(error)) };
            make(above)?;
            match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
                // Somebody else needs it, too.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ArtifactError::io("make", directory)(error));
                }
                _ => {}
            }
        }
        Err(error) => return Err(ArtifactError::io("make", directory)(error)),
    }
    directory.parent().map_or(Ok(()), sync)
}

/// Has the disk keep the names in `directory`.
pub(super) fn sync(directory: &Path) -> Result<(), ArtifactError> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(ArtifactError::io("write the directory", directory))
}

/// A name that nobody else has.
pub(super) fn random() -> Result<String, ArtifactError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ArtifactError::Io {
        step: "find a name in",
        path: PathBuf::from("incoming"),
        source: io::Error::other(error),
    })?;
    Ok(crate::domain::account::hex(&bytes))
}
