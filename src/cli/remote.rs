//! Backups in an S3-compatible store, for commands that are given `s3://bucket/prefix/ID` instead of a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::backup::remote::{Patience, Remote, RemoteBackup, S3Place};
use crate::backup::{FETCHED, HeldDirectory, Place, receive};
use crate::config::Config;
use crate::domain::backup::BackupId;
use crate::domain::model::Digest;

/// A backup that was fetched, with its models' files beside it. Dropped, it goes again.
pub(super) struct Fetched {
    beside: HeldDirectory,
    name: String,
    id: BackupId,
    /// Where it is. Locked for as long as somebody uses it.
    own: HeldDirectory,
}

impl Fetched {
    /// Its directory, through a handle: root fetches into directories of others.
    pub(super) fn path(&self) -> PathBuf {
        self.place().backup(self.id)
    }

    fn place(&self) -> Place {
        Place::new(self.own.through())
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Where this fails, the next one who fetches it does it.
        let _ = fs::remove_dir_all(self.beside.path(&self.name));
    }
}

/// The place in a store that `named` leads to, if it is meant for one.
pub(super) fn named_place(named: &str) -> anyhow::Result<Option<S3Place>> {
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

/// Fetches the backup that `place` names into a directory of its own in `beside`. What one that was interrupted has left
/// there is used or removed. Nobody has looked into it yet: files are of the size and digest that it says.
pub(super) fn fetch(place: &S3Place, config: &Config, beside: &Path) -> anyhow::Result<Fetched> {
    let Some(id) = place.id else {
        bail!("{place} names no backup: put its id behind it, as {place}/2026-11-21T031500Z")
    };
    let remote = remote(config, Some(place))?;
    let name = name(place, config);
    let cannot = || format!("cannot fetch to {}", beside.join(&name).display());
    let beside = HeldDirectory::open(beside).with_context(cannot)?;
    // What others left that were broken off takes the room that this one needs.
    beside.sweep(|left| left.starts_with(FETCHED) && left != name).with_context(cannot)?;
    let own = own(&beside, &name).with_context(cannot)?;
    // From here on it goes when this ends.
    let fetched = Fetched { beside, name, id, own };
    receive(id, &fetched.place(), &mut RemoteBackup::new(&remote, id)?, None)?;
    Ok(fetched)
}

/// The same for the same backup, so that who comes after one who was interrupted finds what is left; and for no other.
fn name(place: &S3Place, config: &Config) -> String {
    let store = config.backup.s3.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let digest = Digest(Sha256::digest(format!("{store} {place}")).into()).to_string();
    format!("{FETCHED}{}", digest.get(..16).unwrap_or(&digest))
}

/// Makes a directory that nobody else can look or write into, and holds it.
fn own(beside: &HeldDirectory, name: &str) -> anyhow::Result<HeldDirectory> {
    // Its name is no secret: somebody else may have been faster.
    let own = match beside.make(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => beside.ours(name)?,
        made => made?,
    };
    match own.handle().try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => bail!("another command is fetching the same backup: wait for its end"),
        Err(fs::TryLockError::Error(error)) => return Err(error.into()),
    }
    // A backup with this name would be taken for one that has arrived.
    for entry in fs::read_dir(own.through())? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<BackupId>().is_ok()) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn a_directory_is_ours_alone_and_held() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("own");
        let beside = HeldDirectory::open(above.path()).unwrap();
        let held = own(&beside, "own").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(own(&beside, "own").unwrap_err().to_string().contains("another command"));
        drop(held);
        fs::create_dir(path.join("2026-11-21T031500Z")).unwrap();
        let held = own(&beside, "own").unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        symlink(above.path(), above.path().join("link")).unwrap();
        assert!(own(&beside, "link").unwrap_err().to_string().contains("not ours alone"));
        // Whoever changes the name afterwards changes nothing for whoever holds it.
        fs::rename(&path, above.path().join("away")).unwrap();
        symlink("/", &path).unwrap();
        fs::write(held.path("file"), "arrived").unwrap();
        assert!(above.path().join("away/file").exists());
    }
}
