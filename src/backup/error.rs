use std::io;
use std::path::PathBuf;

use super::seal::SealError;
use crate::domain::backup::{BackupId, Report};
use crate::store::StoreError;

/// Why there is no backup, or why one cannot be removed. What was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Somebody makes, receives, restores or removes backups there.
    #[error("{} is in use: a backup is made, received or restored there; wait for its end", directory.display())]
    Busy {
        /// The directory of backups.
        directory: PathBuf,
    },
    /// No space; nothing was kept.
    #[error("the disk of {} is full: {free} bytes are free, and the backup needs {needed} of them: free some space, lower \
             backup.keep_*, or set backup.directory to another disk", directory.display())]
    Full {
        /// The directory of backups.
        directory: PathBuf,
        /// What is free.
        free: u64,
        /// What it needs.
        needed: u64,
    },
    /// The data file could not be copied.
    #[error("the data file could not be copied: {0}")]
    Copy(#[source] StoreError),
    /// Models' files went while they were copied, again and again.
    #[error("models' files were removed while they were copied, {tries} times in a row: try again")]
    Restless {
        /// How often it was tried.
        tries: u32,
    },
    /// The copy is not whole.
    #[error("the copy was verified and is not whole: {}", first(.0))]
    NotWhole(Box<Report>),
    /// It could not be verified.
    #[error("the copy could not be verified: {0}")]
    Verify(#[from] VerifyError),
    /// It could not be encrypted.
    #[error("the copy could not be encrypted: {0}")]
    Seal(#[from] SealError),
    /// What was encrypted could not be read back and decrypted.
    #[error("{} was encrypted, read back, and cannot be relied on: {why}: look after the disk and the memory", path.display())]
    NotAsSealed {
        /// The encrypted file.
        path: PathBuf,
        /// How it shows.
        why: String,
    },
    /// There is no such backup.
    #[error("there is no backup {0}")]
    Unknown(BackupId),
    /// Any other failure of the disk.
    #[error("cannot {step} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was to be done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl BackupError {
    pub(super) fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { step, path, source }
    }

    /// Whether it is a matter of disk space, which passes when space is freed.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Copy(error) => error.is_full(),
            Self::Io { source, .. } => is_full(source),
            _ => false,
        }
    }
}

/// Whether the disk has no room, or no room for us.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What to do about a directory that is not the daemon's, or that its unit does not let it write to.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ": the directory of backups must be the daemon's, with all that is in it: chown -R quantum-clm: DIRECTORY"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            ": unless the disk itself is read-only, it is the unit that does not let the daemon write there: systemctl edit \
             quantum-clm, [Service], ReadWritePaths=DIRECTORY, and restart it"
        }
        _ => "",
    }
}

fn first(report: &Report) -> String {
    let Some(finding) = report.findings.first() else { return "nothing is known of why".to_owned() };
    match report.findings.len() {
        1 => format!("{}: {}", finding.what, finding.why),
        more => format!("{}: {} (and {} more)", finding.what, finding.why, more - 1),
    }
}

/// What is said of a backup that is not encrypted and should be.
pub(super) fn plain(backup: &impl std::fmt::Display) -> String {
    format!(
        "backup {backup} is not encrypted, and backups here are (--identity, or backup.recipients): whoever can write to \
         where it lies may have put it there, with users and passwords of theirs. Take another one, or insist on this one \
         with --plain"
    )
}

/// Why a file or a backup could not be looked at. One that was looked at and is damaged is a [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// Somebody writes to it.
    #[error("{} is in use by a running quantum-clm: verify a backup of it instead, or stop the daemon first", .0.display())]
    InUse(PathBuf),
    /// It is encrypted, and only its digests can be compared without a key.
    #[error("{} is encrypted: verify its backup with the private key (--identity), or decrypt it with age", .0.display())]
    Sealed(PathBuf),
    /// It is not encrypted, and should be.
    #[error("{}", plain(.0))]
    Plain(BackupId),
    /// It could not be decrypted.
    #[error("{}: {source}", path.display())]
    Seal {
        /// The encrypted file.
        path: PathBuf,
        /// What went wrong.
        source: SealError,
    },
    /// The child process that verifies could not be run.
    #[error("the process that verifies could not be run: {0}")]
    Child(#[source] io::Error),
    /// Any other failure of the disk.
    #[error("cannot {step} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}
