//! The files of models' versions, beside the data file, and what of them is in production.
//!
//! ```text
//! <data directory>/artifacts/incoming/<random>                being written
//!                  artifacts/incoming/<upload>.partial        the same for what can be gone on with after a restart
//!                  artifacts/incoming/<random>.<digest>       whole; its manifest may not be committed yet
//!                  artifacts/sha256/ab/cdef…                  content, under its SHA-256
//!                  artifacts/versions/<model>/<version>/…     symbolic links to content, under the manifest's paths
//! <data directory>/production/<model>                         symbolic link to what is in production
//! ```
//!
//! The data file says what is so, and this room follows it. A file is in its place, with its directories on disk, before
//! a manifest that names it is committed, and goes after no manifest names it any more. Whatever lies here and was
//! not put here by this data file stays.

mod beneath;
mod check;
mod content;
mod deploy;
mod garbage;
mod intake;
mod layout;
mod partial;
mod version;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

pub use self::beneath::Registered;
pub use self::check::{FileCheck, FileState, digest};
pub use self::content::Content;
pub use self::deploy::{DeployError, Deployed, Deployments};
pub use self::garbage::{SweepError, Swept};
pub use self::intake::{Intake, Taken};
use self::layout::Layout;
use self::partial::Claims;
pub use self::partial::{Claim, PartialId};
use crate::config;
use crate::domain::model::{ArtifactPath, Digest};
use crate::store::{RESERVE_BYTES, Store};

/// Free space that a file being taken in leaves on the disk: twice what the data file needs to go on, so that no upload
/// stops the feed.
const LEAVE_BYTES: u64 = 2 * RESERVE_BYTES;

/// Why a file is not taken in, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No space: nothing of it was kept.
    #[error("the disk of {} is full: {free} bytes are free, and {needed} must be: free some space", path.display())]
    Full {
        /// Where it would go.
        path: PathBuf,
        /// What is free.
        free: u64,
        /// What would have to be.
        needed: u64,
    },
    /// It is larger than files may be.
    #[error("the file is larger than {limit} bytes (artifacts.max_file)")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// There is nothing in it.
    #[error("the file is empty: a model without content cannot be used")]
    Empty,
    /// It is not what it was said to be.
    #[error("the file's SHA-256 is {found}, not {expected} as announced: nothing of it was kept; send it again")]
    Digest {
        /// What was announced.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A file that was registered in place is not to be read.
    #[error("{path} in {}: {why}", directory.display())]
    Unusable {
        /// The directory that was named.
        directory: PathBuf,
        /// The file in it.
        path: ArtifactPath,
        /// Why not.
        why: &'static str,
    },
    /// A directory that files cannot be registered in.
    #[error("{}: {why}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It was there.
    #[error(
        "the content of {path} is missing from the disk; restore it from a backup, or roll back to another version"
    )]
    Missing {
        /// Which file.
        path: ArtifactPath,
    },
    /// It is not what it was.
    #[error(
        "the content of {path} is damaged: {found} bytes are left of {size}; restore it from a backup, or roll back \
             to another version"
    )]
    Damaged {
        /// Which file.
        path: ArtifactPath,
        /// Bytes that it had.
        size: u64,
        /// Bytes that it has.
        found: u64,
    },
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

impl ArtifactError {
    fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { step, path, source }
    }

    /// Whether it is a matter of disk space, which passes when space is freed.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => is_full(source),
            _ => false,
        }
    }
}

/// Whether the disk has no room, or no room for us.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Where the content with this digest lies beside the data file, if that has it.
pub fn content_path(data_file: &Path, digest: &Digest) -> PathBuf {
    Layout::beside(data_file).content(digest)
}

/// The directory beside the data file.
pub struct Directory {
    store: Arc<Store>,
    limits: config::Artifacts,
    layout: Layout,
    /// Held for reading from when a file gets its place until the manifest that names it is committed, and for writing
    /// while a file that no manifest names is removed: nobody's content goes between the two.
    keeping: RwLock<()>,
    /// One at a time changes what is in production or a version's directory.
    deploying: Mutex<()>,
    /// Who is at which upload.
    claims: Arc<Claims>,
}

impl Directory {
    /// The directory of this data file. Nothing is made before the first file comes.
    pub fn new(store: Arc<Store>, limits: config::Artifacts) -> Self {
        let layout = Layout::beside(store.path());
        Self { store, limits, layout, keeping: RwLock::new(()), deploying: Mutex::new(()), claims: Arc::default() }
    }

    /// How large files may be, and where they may stay.
    pub fn limits(&self) -> &config::Artifacts {
        &self.limits
    }
}
