use std::fs::File;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Backups, BackupsError};
use crate::artifacts::Content;
use crate::backup;
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::backup::{BackupId, Manifest, Piece};
use crate::domain::model::{ArtifactFile, ArtifactPath, Digest};
use crate::domain::time::Micros;
use crate::store::StoreError;

/// A file of a backup, open for reading.
pub struct Download {
    /// Its name and digest.
    pub file: ArtifactFile,
    /// Its content, as stored.
    pub content: Content,
}

/// Why a file of a backup is not handed out.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Backups.
    #[error(transparent)]
    Backups(#[from] BackupsError),
    /// The backup is none.
    #[error("backup {id} is not whole: {why}")]
    NotWhole {
        /// Which.
        id: BackupId,
        /// Why.
        why: String,
    },
    /// It has no such file.
    #[error("backup {id} has no such file")]
    NoFile {
        /// Which.
        id: BackupId,
    },
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has another size than the manifest says.
    #[error("{} has {found} bytes and should have {size}: the backup is damaged", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: u64,
        /// What it should have.
        size: u64,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Backups(error.into())
    }
}

impl Backups {
    /// Opens a file of a backup. Who takes the data file is in the audit log: it holds what passwords are checked with.
    /// Blocks.
    pub fn open(&self, id: BackupId, piece: &Piece, actor: &Actor, now: Micros) -> Result<Download, ReadError> {
        let found = backup::list(&self.place).map_err(BackupsError::from)?;
        let found = found.into_iter().find(|found| found.id == id).ok_or(BackupsError::Unknown(id))?;
        let manifest = found.manifest.as_ref().map_err(|why| ReadError::NotWhole { id, why: why.clone() })?;
        let none = || ReadError::NoFile { id };
        match piece {
            Piece::File(name) => {
                let path = found.file(name).ok_or_else(none)?;
                let whole_file = *name == manifest.data.name;
                let download = if whole_file {
                    open(&path, name, Some((manifest.data.size, manifest.data.sha256)))?
                } else {
                    open(&path, name, None)?
                };
                if whole_file {
                    self.store.write::<_, StoreError>(|txn| {
                        txn.audit(AuditEntry::done(
                            now,
                            actor,
                            "backup.download",
                            format!("backup {id}"),
                            name.as_str(),
                        ))
                    })?;
                }
                Ok(download)
            }
            Piece::Artifact(sha256) => {
                let (path, name, known) = self.artifact(manifest, sha256).ok_or_else(none)?;
                open(&path, &name, Some(known))
            }
        }
    }

    /// Where a model's file lies, what it is called, and its size and digest as stored.
    fn artifact(&self, manifest: &Manifest, sha256: &Digest) -> Option<(PathBuf, String, (u64, Digest))> {
        let kept = manifest.artifacts.iter().find(|kept| kept.sha256 == *sha256)?;
        let stored = Path::new(&kept.stored_name);
        // What a manifest names leads nowhere else.
        if !stored.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        let name = kept.stored_name.replace('/', "");
        Some((self.place.artifacts().join(stored), name, (kept.stored_size, kept.stored_sha256)))
    }
}

/// A file whose size and digest are known; those of small ones are found out.
fn open(path: &Path, name: &str, known: Option<(u64, Digest)>) -> Result<Download, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let content = Content::of(file).map_err(failed)?;
    let (size, sha256) = match known {
        Some(known) => known,
        None => {
            let bytes = std::fs::read(path).map_err(failed)?;
            (bytes.len() as u64, Digest(Sha256::digest(&bytes).into()))
        }
    };
    if content.size != size {
        return Err(ReadError::Size { path: path.to_owned(), found: content.size, size });
    }
    let path: ArtifactPath = name
        .parse()
        .map_err(|_| failed(std::io::Error::new(std::io::ErrorKind::InvalidFilename, "its name cannot be told")))?;
    Ok(Download { file: ArtifactFile { path, size, sha256 }, content })
}
