//! A mark beside the data file: the stream was given back to the predecessor.
//!
//! The way back has to be open where the daemon does not answer, or cannot even start, so it cannot depend on a request to
//! it. The mark says the same without one; the next daemon takes it before anything else runs. It is left when the daemon
//! is stopped, because a daemon that starts in between would take it and begin to write again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Micros;
use crate::mirror;
use crate::store::{Store, StoreError};

const NAME: &str = "stream-given-back";

/// Why a mark was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The data file does not take the note.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mark is noted, and stays where it is: the next start notes it once more.
    #[error("it cannot be removed: {0}")]
    Stays(io::Error),
}

/// Where the mark of a data file lies.
pub fn mark_of(data_file: &Path) -> PathBuf {
    data_file.with_file_name(NAME)
}

/// Leaves the mark; whether there is a directory that a data file could be in. It has no content and replaces nothing, so
/// whoever owns the directory wins nothing by what waits there under its name.
pub fn leave_mark(data_file: &Path) -> io::Result<bool> {
    let path = mark_of(data_file);
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())?;
    Ok(true)
}

/// Takes the mark, if there is one: the next mirror takes the stream over anew. Whether there was one.
pub fn take_mark(store: &Store, data_file: &Path, now: Micros) -> Result<bool, MarkError> {
    let path = mark_of(data_file);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(false);
    }
    if !mirror::is_given_back(store)? {
        let why = "it was undone while the daemon did not run";
        let entry = AuditEntry::done(now, &Actor::own("takeover"), "takeover.undone", "the predecessor", why);
        store.write::<_, StoreError>(|txn| {
            mirror::give_back(txn)?;
            txn.audit(entry)
        })?;
    }
    fs::remove_file(&path).map_err(MarkError::Stays)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quantum.redb");
        assert!(leave_mark(&path).unwrap() && leave_mark(&path).unwrap());
        let store = Store::open(&path).unwrap();
        assert!(!mirror::is_given_back(&store).unwrap());
        assert!(take_mark(&store, &path, Micros(1)).unwrap());
        assert!(mirror::is_given_back(&store).unwrap());
        assert!(!take_mark(&store, &path, Micros(2)).unwrap());
    }

    #[test]
    fn what_lies_there_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (path, victim) = (directory.path().join("quantum.redb"), directory.path().join("victim"));
        fs::write(&victim, "whole").unwrap();
        std::os::unix::fs::symlink(&victim, mark_of(&path)).unwrap();
        assert!(leave_mark(&path).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "whole");
        assert!(!leave_mark(&directory.path().join("nowhere/quantum.redb")).unwrap());
    }
}
