//! Files of a run's directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Room that is set aside for the exit record: more than it ever is, notes included.
const RESERVE_BYTES: u64 = 64 << 10;

/// Reads a file; none if it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file in one step: readers find the old one or the new one. It may be gone after the machine fails.
pub(super) fn replace<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let beside = path.with_extension("new");
    let written = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(value)?))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Writes a file that is not there yet and forces it to the disk.
pub(super) fn create<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut file = new_file(path)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    sync_directory(path)
}

/// Sets room aside, at `path`.
pub(super) fn reserve(path: &Path) -> io::Result<()> {
    let mut file = new_file(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES) {
        // A file system that cannot set room aside may still keep what was written.
        Err(rustix::io::Errno::OPNOTSUPP) => file.write_all(&vec![0; RESERVE_BYTES as usize]),
        outcome => Ok(outcome?),
    }
}

/// Writes a file into the room that was set aside at `reserve`, forces it to the disk, and gives it its name. Where no room
/// was set aside, or somebody removed it, it takes what there is.
pub(super) fn spend<T: Serialize>(reserve: &Path, path: &Path, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(reserve)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    fs::rename(reserve, path)?;
    sync_directory(path)
}

fn new_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_is_spent_and_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (room, path) = (directory.path().join("room"), directory.path().join("file"));
        reserve(&room).unwrap();
        assert_eq!(fs::metadata(&room).unwrap().len(), RESERVE_BYTES);
        spend(&room, &path, &"text").unwrap();
        assert_eq!(read::<String>(&path).unwrap().as_deref(), Some("text"));
        assert!(!room.exists());
    }

    #[test]
    fn nothing_is_none_and_half_a_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(read::<String>(&path).unwrap(), None);
        fs::write(&path, "\"te").unwrap();
        assert!(read::<String>(&path).is_err());
        replace(&path, &"text").unwrap();
        assert_eq!(read::<String>(&path).unwrap().as_deref(), Some("text"));
    }
}
