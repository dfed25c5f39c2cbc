//! The claim to a data file's directory. A restore replaces the file, and must not do that between a daemon's opening it and
//! its locking it: the daemon would go on with a file that has no name any more, and everything it acknowledged would be lost.

use std::fs::{File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::OpenError;

/// A lock on the directory, shared by whoever works on a data file in it. A restore has it alone.
pub(super) struct Claim {
    /// `None` where the file system has no such locks: then it is as it would be without.
    _directory: Option<File>,
}

impl Claim {
    /// Takes it, unless a restore is under way.
    pub(super) fn take(path: &Path, directory: &Path) -> Result<Self, OpenError> {
        let remedy = "give the user that quantum-clm runs as the right to read the directory";
        let io = |source| OpenError::Io { path: path.to_owned(), remedy, source };
        let opened = File::open(directory).map_err(io)?;
        match opened.try_lock_shared() {
            Ok(()) => Ok(Self { _directory: Some(opened) }),
            Err(TryLockError::WouldBlock) => {
                Err(OpenError::Locked { path: path.to_owned(), directory: directory.to_owned() })
            }
            Err(TryLockError::Error(_)) => Ok(Self { _directory: None }),
        }
    }
}

/// Whether what was opened is what has the name still: somebody may have put another file in its place meanwhile.
pub(super) fn is_at(path: &Path, opened: &Metadata) -> bool {
    std::fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (opened.dev(), opened.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_restore_keeps_a_daemon_out_and_a_daemon_a_restore() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("q.redb");
        let directory = File::open(home.path()).unwrap();
        directory.try_lock().unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::Locked { .. })));
        assert!(!path.exists(), "it made a file all the same");
        directory.unlock().unwrap();
        let store = Store::open(&path).unwrap();
        assert!(matches!(directory.try_lock(), Err(TryLockError::WouldBlock)), "nobody keeps a restore out");
        store.close();
        directory.try_lock().expect("a closed file keeps nobody out");
    }

    #[test]
    fn the_claim_is_to_where_a_link_leads() {
        let (home, real) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, target) = (home.path().join("q.redb"), real.path().join("q.redb"));
        Store::open(&target).unwrap().close();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let store = Store::open(&path).unwrap();
        let directory = File::open(real.path()).unwrap();
        assert!(matches!(directory.try_lock(), Err(TryLockError::WouldBlock)), "a restore would replace it");
        store.close();
    }

    #[test]
    fn a_file_that_was_replaced_is_another_one() {
        let home = tempfile::tempdir().unwrap();
        let (path, next) = (home.path().join("q.redb"), home.path().join("next"));
        std::fs::write(&path, "a").unwrap();
        std::fs::write(&next, "b").unwrap();
        let opened = File::open(&path).unwrap().metadata().unwrap();
        assert!(is_at(&path, &opened));
        std::fs::rename(&next, &path).unwrap();
        assert!(!is_at(&path, &opened));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&path, &opened));
    }
}
