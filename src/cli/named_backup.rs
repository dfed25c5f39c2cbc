//! What commands mean that are given a backup: where it is elsewhere, its id, or its path.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

use super::remote::named_place;
use crate::backup::remote::S3Place;
use crate::domain::backup::BackupId;

/// Where a name leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NamedBackup {
    /// To a store elsewhere.
    Remote(S3Place),
    /// To a directory.
    Directory(PathBuf),
    /// To what is none.
    Other(PathBuf),
}

/// Where `named` leads; `backups` says where this machine has its own, and is asked only where that matters.
pub(super) fn named_backup(
    named: &Path,
    backups: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<NamedBackup> {
    let name = named.to_string_lossy();
    if let Some(place) = named_place(&name)? {
        return Ok(NamedBackup::Remote(place));
    }
    if name.contains("://") {
        bail!("{name} is neither on this machine nor in a store that is known here: write s3://bucket/prefix/ID");
    }
    if let Ok(id) = name.parse::<BackupId>()
        && !named.exists()
    {
        let (directory, id) = (backups()?, id.to_string());
        let path = directory.join(&id);
        ensure!(path.is_dir(), "there is no backup {id} in {}", directory.display());
        return Ok(NamedBackup::Directory(path));
    }
    Ok(match named.is_dir() {
        true => NamedBackup::Directory(named.to_owned()),
        false => NamedBackup::Other(named.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_name_leads_where_it_says() {
        let home = tempfile::tempdir().unwrap();
        let backups = home.path().join("backups");
        let id = "2026-11-21T031500Z";
        fs::create_dir_all(backups.join(id)).unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let named = |name: &str| named_backup(Path::new(name), || Ok(backups.clone()));
        let below = |name: &str| home.path().join(name);
        assert_eq!(named(id).unwrap(), NamedBackup::Directory(backups.join(id)));
        let path = below("backups");
        assert_eq!(named(path.to_str().unwrap()).unwrap(), NamedBackup::Directory(path));
        for path in [below("file"), below("none")] {
            assert_eq!(named(path.to_str().unwrap()).unwrap(), NamedBackup::Other(path));
        }
        assert!(matches!(named("s3://safe/home").unwrap(), NamedBackup::Remote(_)));
        for (name, said) in [("2026-11-22T031500Z", "there is no backup"), ("https://x/y", "s3://bucket/prefix/ID")] {
            assert!(named(name).unwrap_err().to_string().contains(said), "{name}");
        }
    }
}
