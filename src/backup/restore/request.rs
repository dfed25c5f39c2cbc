use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::backup::error::{BackupError, VerifyError, plain};
use crate::backup::seal::{Identity, SealError};
use crate::backup::verify::Verifier;
use crate::domain::backup::{BackupId, Difference, LackingArtifact, Report, STOP};
use crate::domain::model::Digest;
use crate::domain::time::{Micros, rfc3339};
use crate::store::{OpenError, StoreError};

/// What is restored, and where to.
pub struct RestoreRequest<'a> {
    /// The backup's directory; models' files are in `artifacts` beside it.
    pub backup: &'a Path,
    /// The data file whose place it takes.
    pub data_file: &'a Path,
    /// The private key of an encrypted one.
    pub identity: Option<&'a Identity>,
    /// Who asks for it: an account of this machine.
    pub by: &'a str,
    /// Whether one that is not encrypted is refused.
    pub sealed: bool,
    /// The present.
    pub at: Micros,
    /// Only to say what would happen.
    pub dry_run: bool,
    /// Whether models' files that are needed and damaged in the backup are left out, instead of nothing being restored.
    pub without_models: bool,
    /// Who verifies.
    pub verifier: &'a Verifier,
    /// Called when the next step begins.
    pub progress: &'a dyn Fn(RestoreStep),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStep {
    /// The backup's checksums are compared.
    Verify,
    /// The data is copied, and decrypted.
    Copy,
    /// Everything in the copy is looked at.
    VerifyCopy,
    /// Models' files that are missing are brought.
    Models,
    /// The copy takes the data file's place.
    Rename,
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Which backup.
    pub backup: BackupId,
    /// When it was taken, RFC 3339.
    #[serde(with = "rfc3339")]
    pub taken_at: Micros,
    /// On which machine.
    pub host: String,
    /// The data file.
    pub data_file: PathBuf,
    /// Where the data file of before is now.
    pub kept: Option<PathBuf>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Whether somebody has the data file open: it would be refused.
    pub in_use: bool,
    /// A run before this one did it, and nobody has started on the file since.
    pub already_there: bool,
    /// Why it could not be compared with the present data file, where there is one.
    pub not_compared: Option<String>,
    /// What goes back in time.
    pub difference: Difference,
    /// Models' files that are in their places.
    pub artifacts_there: u64,
    /// Models' files that were missing or damaged, and come from the backup.
    pub artifacts_restored: u64,
    /// How many models' files the backup does not have either.
    pub artifacts_lacking: u64,
    /// Which those are, and those that are damaged in it and were left out: they have to be sent again.
    pub artifacts_left_out: Vec<LackingArtifact>,
    /// Models' files that are damaged in the backup and whole beside the data file: nothing is missing here, but the backup
    /// is no help to another machine.
    pub artifacts_damaged: Vec<LackingArtifact>,
    /// Versions whose files were registered where they lie: they are not in the backup.
    pub artifacts_in_place: u64,
}

/// Why nothing was restored. The data file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is no backup.
    #[error("{} is no backup that can be restored: {why}", path.display())]
    NoBackup {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Written by a later program.
    #[error(
        "backup {backup} was made by quantum-clm {by} with schema {schema}, and this program reads up to {known}: install \
             that version or a later one, and restore with it"
    )]
    Newer {
        /// Which backup.
        backup: BackupId,
        /// Its schema.
        schema: u32,
        /// Who made it.
        by: String,
        /// The latest schema of this program.
        known: u32,
    },
    /// It is encrypted and there is no key.
    #[error("backup {backup} is encrypted: give the file with the private key, --identity FILE")]
    Sealed {
        /// Which backup.
        backup: BackupId,
    },
    /// It is not encrypted, and should be.
    #[error("{}", plain(.backup))]
    Plain {
        /// Which backup.
        backup: BackupId,
    },
    /// Somebody makes or removes backups where it lies.
    #[error(transparent)]
    Place(#[from] BackupError),
    /// Somebody has the data file.
    #[error("{} is in use: stop quantum-clm first ({STOP})", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was written to meanwhile.
    #[error("{} was changed while the backup was made ready: stop quantum-clm, and restore again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another restore is at it.
    #[error("another restore is under way in {}", directory.display())]
    Busy {
        /// The data file's directory.
        directory: PathBuf,
    },
    /// No space.
    #[error("the disk of {} has {free} bytes free, and the restore needs {needed}: the data file of before is kept beside \
             the restored one; free some space, or name a --data-file on another disk", directory.display())]
    Full {
        /// The data file's directory.
        directory: PathBuf,
        /// What is free.
        free: u64,
        /// What it needs.
        needed: u64,
    },
    /// It is not what it was.
    #[error("the backup is damaged: {}", damage(.0))]
    NotWhole(Box<Report>),
    /// All of it is whole but models' files, and those are not beside the data file either.
    #[error("{} of models are damaged in the backup and not beside the data file: {}; another backup may have them, or \
             restore without them, --without-models, and send them again", count(.0.len()), listed(.0))]
    ModelsDamaged(Vec<LackingArtifact>),
    /// What was read is not what the backup says of itself.
    #[error("the backup is damaged: {} has another content than its manifest says ({found} instead of {expected})", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
    /// It could not be verified.
    #[error("the backup could not be verified: {0}")]
    Verify(#[from] VerifyError),
    /// It could not be decrypted.
    #[error("{}: {source}", path.display())]
    Seal {
        /// The encrypted file.
        path: PathBuf,
        /// What went wrong.
        source: SealError,
    },
    /// The copy could not be opened.
    #[error("the copy of the backup's data: {0}")]
    Open(#[from] OpenError),
    /// The copy could not be read.
    #[error("the copy of the backup's data: {0}")]
    Read(#[from] StoreError),
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

impl RestoreError {
    pub(super) fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { step, path, source }
    }
}

fn damage(report: &Report) -> String {
    let Some(first) = report.findings.first() else { return "nothing is known of how".to_owned() };
    let more = match report.findings.len() {
        1 => String::new(),
        count => format!(" (and {} more; quantum-clm verify shows all)", count - 1),
    };
    format!("{}: {}{more}", first.what, first.why)
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

fn listed(files: &[LackingArtifact]) -> String {
    files.iter().map(|file| format!("{} ({})", file.sha256, file.why)).collect::<Vec<_>>().join(", ")
}
