use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

use super::error::BackupError;
use super::files;
use super::layout::Place;

/// Held while backups are made or removed, or read by somebody from whom none may be removed; given back when it is dropped,
/// or with the process.
pub(super) struct Lock {
    /// `None` where the file system has no such locks, and who asked can do without.
    _file: Option<File>,
}

impl Lock {
    /// The lock of `place`, or [`BackupError::Busy`] where somebody has it.
    pub(super) fn take(place: &Place) -> Result<Self, BackupError> {
        Self::take_or(place, |error| Err(BackupError::io("lock", place.lock())(error)))
    }

    /// The same; where the file system has no such locks, as some of the network, it is as it would be without.
    pub(super) fn take_if_there_are_any(place: &Place) -> Result<Self, BackupError> {
        Self::take_or(place, |_| Ok(Self { _file: None }))
    }

    fn take_or(
        place: &Place,
        without: impl FnOnce(std::io::Error) -> Result<Self, BackupError>,
    ) -> Result<Self, BackupError> {
        let path = place.lock();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        // A directory that others may write to must not have root make files wherever a link leads.
        let opened = options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(&path);
        let file = opened.map_err(BackupError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(BackupError::Busy { directory: place.directory.clone() }),
            Err(TryLockError::Error(error)) => without(error),
        }
    }

    /// Shares the lock with others who read, so that nobody removes anything meanwhile. None where nobody ever made or
    /// received a backup: nothing is written there, which may be a medium that cannot be written to.
    pub(super) fn share(place: &Place) -> Result<Option<Self>, BackupError> {
        let path = place.lock();
        let opened = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BackupError::io("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Err(BackupError::Busy { directory: place.directory.clone() }),
            // A file system that knows no locks (NFS without lockd) can be read all the same.
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// Removes what backups that broke off left behind.
    pub(super) fn clean(&self, place: &Place) -> Result<(), BackupError> {
        let looked = |error| BackupError::io("look into", &place.directory)(error);
        let mut removed = false;
        for entry in std::fs::read_dir(&place.directory).map_err(looked)? {
            let entry = entry.map_err(looked)?;
            if entry.file_name().to_str().is_some_and(Place::is_partial) {
                files::remove(&entry.path())?;
                removed = true;
            }
        }
        if removed { files::sync_directory(&place.directory) } else { Ok(()) }
    }
}
