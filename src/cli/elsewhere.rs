//! Backups in an S3-compatible store, for commands that are given `s3://bucket/prefix/ID` instead of a directory.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::backup::Place;
use crate::backup::remote::{Patience, Remote, S3Place};
use crate::config::Config;
use crate::domain::backup::BackupId;
use crate::domain::model::Digest;

/// A backup that was fetched, with its models' files beside it. Dropped, it goes again.
pub(super) struct Fetched {
    place: Place,
    id: BackupId,
    /// Held as long as somebody uses it.
    _lock: File,
}

impl Fetched {
    /// Its directory.
    pub(super) fn path(&self) -> PathBuf {
        self.place.backup(self.id)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Where this fails, the next one who fetches it does it.
        let _ = fs::remove_dir_all(&self.place.directory);
    }
}

/// Where a name leads, if it is meant for a store.
pub(super) fn place_of(named: &str) -> anyhow::Result<Option<S3Place>> {
    if S3Place::looks_like(named) { Ok(Some(named.parse()?)) } else { Ok(None) }
}

/// The store of `[backup.s3]`, at this place.
pub(super) fn remote(config: &Config, place: Option<&S3Place>) -> anyhow::Result<Remote> {
    ensure!(
        place.is_some() || config.backup.s3.is_on(),
        "no store is configured: set backup.s3.bucket, or name the place as s3://bucket/prefix"
    );
    Ok(Remote::new(&config.backup.s3, place, Patience::default())?)
}

/// Runs what waits for the store.
pub(super) fn waiting<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Where large files go that nobody keeps: not /tmp, which may be in memory.
pub(super) fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Fetches the backup that `place` names into a directory of its own in `beside`. What one that was interrupted has left
/// there is used or removed.
pub(super) fn fetch(place: &S3Place, config: &Config, beside: &Path) -> anyhow::Result<Fetched> {
    let Some(id) = place.id else {
        bail!("{place} names no backup: put its id behind it, as {place}/2026-11-21T031500Z")
    };
    let remote = remote(config, Some(place))?;
    let to = Place::new(beside.join(name(place, config)));
    let lock = own(&to.directory).with_context(|| format!("cannot fetch to {}", to.directory.display()))?;
    // From here on it goes when this ends.
    let fetched = Fetched { place: to, id, _lock: lock };
    waiting(async { Ok(remote.get(id, &fetched.place).await?) })?;
    Ok(fetched)
}

/// The same for the same backup, so that who comes after one who was interrupted finds what is left; and for no other.
fn name(place: &S3Place, config: &Config) -> String {
    let store = config.backup.s3.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let digest = Digest(Sha256::digest(format!("{store} {place}")).into()).to_string();
    format!(".quantum-clm-fetched-{}", digest.get(..16).unwrap_or(&digest))
}

/// Makes a directory that nobody else can look or write into, and holds it.
fn own(directory: &Path) -> anyhow::Result<File> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // Its name is no secret: somebody else may have been faster.
    let metadata = fs::symlink_metadata(directory)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    ensure!(metadata.is_dir() && ours && metadata.mode() & 0o077 == 0, "it is there already, and is not ours alone");
    let lock = File::open(directory)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => bail!("another command is fetching the same backup: wait for its end"),
        Err(fs::TryLockError::Error(error)) => return Err(error.into()),
    }
    // A backup with this name would be taken for one that has arrived.
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<BackupId>().is_ok()) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_ours_alone_and_held() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("own");
        let lock = own(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(own(&path).unwrap_err().to_string().contains("another command"));
        drop(lock);
        fs::create_dir(path.join("2026-11-21T031500Z")).unwrap();
        own(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        std::os::unix::fs::symlink(above.path(), above.path().join("link")).unwrap();
        assert!(own(&above.path().join("link")).unwrap_err().to_string().contains("not ours alone"));
    }
}
