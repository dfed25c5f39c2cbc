use std::path::{Path, PathBuf};

use crate::domain::backup::BackupId;
use crate::domain::model::Digest;

/// The manifest's name in a backup's directory.
pub const MANIFEST: &str = "manifest.json";
/// The checksums' name in a backup's directory.
pub const SUMS: &str = "SHA256SUMS";
/// The data file's name in a backup's directory; with [`SEALED`] behind it when it is encrypted.
pub const DATA: &str = "quantum.redb";
/// Behind the name of an encrypted file.
pub const SEALED: &str = ".age";

/// The directory of models' files beside the backups.
pub(super) const ARTIFACTS: &str = "artifacts";

/// What the name of a backup begins with while it is made.
const PARTIAL: &str = ".partial-";

/// Where backups lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory of all of them.
    pub directory: PathBuf,
}

impl Place {
    /// The place in `directory`. Nothing is made before the first backup.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The place that a backup's directory lies in.
    pub(super) fn around(backup: &Path) -> Self {
        let parent = backup.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::new(parent.unwrap_or(Path::new(".")))
    }

    /// The directory of a backup.
    pub fn backup(&self, id: BackupId) -> PathBuf {
        self.directory.join(id.to_string())
    }

    /// The directory of a backup while it is made.
    pub fn partial(&self, id: BackupId) -> PathBuf {
        self.directory.join(format!("{PARTIAL}{id}"))
    }

    /// Whether `name` is that of a backup that was being made.
    pub(super) fn is_partial(name: &str) -> bool {
        name.strip_prefix(PARTIAL).is_some_and(|id| id.parse::<BackupId>().is_ok())
    }

    /// The models' files of all backups.
    pub fn artifacts(&self) -> PathBuf {
        self.directory.join(ARTIFACTS)
    }

    /// Held while backups are made or removed.
    pub(super) fn lock(&self) -> PathBuf {
        self.directory.join(".lock")
    }
}

/// The name of a plain file below `artifacts/`.
pub fn plain_name(digest: &Digest) -> String {
    let name = digest.to_string();
    let (shelf, rest) = name.split_at(2);
    format!("{shelf}/{rest}")
}

/// The name of an encrypted one: encrypting the same content again gives another file, and the older one may be what an
/// older backup names.
pub fn sealed_name(digest: &Digest, stored: &Digest) -> String {
    let stored = stored.to_string();
    format!("{}.{}{SEALED}", plain_name(digest), &stored[..16])
}

/// Whether `name` is that of a file in a backup's directory.
pub(super) fn is_of_a_backup(name: &str) -> bool {
    [MANIFEST, SUMS, DATA].contains(&name) || name.strip_suffix(SEALED) == Some(DATA)
}
