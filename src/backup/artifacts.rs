//! Models' files in a place: one for all backups, by the digest of their content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::files::{self, Hashing};
use super::layout::{Place, SEALED, plain_name, sealed_name};
use super::list::list;
use super::seal::{self, Recipient};
use super::sealed::read_back;
use crate::domain::backup::{KeptArtifact, Manifest, UsedArtifact};
use crate::domain::model::Digest;

/// Where models' files are put while a backup is made.
pub(super) struct Shelf<'a> {
    place: &'a Place,
    recipients: &'a [Recipient],
    /// Files are written there and renamed to their place: on the same disk, and gone with a backup that breaks off.
    beside: PathBuf,
    /// What earlier backups have encrypted to the same recipients, and what this one has put.
    known: BTreeMap<Digest, KeptArtifact>,
}

impl<'a> Shelf<'a> {
    pub(super) fn open(place: &'a Place, recipients: &'a [Recipient], beside: &Path) -> Result<Self, BackupError> {
        let wanted: BTreeSet<String> = recipients.iter().map(ToString::to_string).collect();
        let mut known = BTreeMap::new();
        if !recipients.is_empty() {
            for manifest in list(place)?.into_iter().filter_map(|found| found.manifest.ok()) {
                if manifest.recipients.iter().cloned().collect::<BTreeSet<_>>() == wanted {
                    known.extend(manifest.artifacts.into_iter().map(|artifact| (artifact.sha256, artifact)));
                }
            }
        }
        Ok(Self { place, recipients, beside: beside.join("artifact"), known })
    }

    /// Puts the content at `source` on the shelf, unless it is there already and whole. `Err` within says why the source
    /// cannot be read, or is not what it was; `room` is asked before anything is written.
    pub(super) fn put(
        &mut self,
        source: &Path,
        artifact: &UsedArtifact,
        room: &dyn Fn() -> Result<(), BackupError>,
    ) -> Result<Result<KeptArtifact, String>, BackupError> {
        if let Some(kept) = self.there(artifact) {
            return Ok(Ok(kept));
        }
        room()?;
        files::remove(&self.beside)?;
        let mut reader = match fs::File::open(source) {
            Ok(file) => Hashing::new(file),
            Err(error) => return Ok(Err(unreadable(&error))),
        };
        let writer = files::create(&self.beside).map_err(BackupError::io("write", &self.beside))?;
        let mut writer = Hashing::new(writer);
        let copied = if self.recipients.is_empty() {
            let copied = files::copy(&mut reader, &mut writer).map(|()| None);
            copied.map_err(BackupError::io("write", &self.beside))
        } else {
            seal::seal_and_keep(&mut reader, &mut writer, self.recipients).map(Some).map_err(BackupError::from)
        };
        if let Some(error) = reader.failed.take() {
            return Ok(Err(unreadable(&error)));
        }
        if let Some(error) = writer.failed.take() {
            return Err(BackupError::io("write", &self.beside)(error));
        }
        let key = copied?;
        let ((size, sha256), (stored_size, stored_sha256)) = (reader.finish(), writer.finish());
        if (size, sha256) != (artifact.size, artifact.sha256) {
            let why = format!("it has {size} bytes with the SHA-256 {sha256} and should have {}", artifact.size);
            return Ok(Err(why));
        }
        let stored_name = match self.recipients {
            [] => plain_name(&sha256),
            _ => sealed_name(&sha256, &stored_sha256),
        };
        let target = self.place.artifacts().join(&stored_name);
        let shelf = target.parent().unwrap_or(&self.place.directory);
        files::make_directory(&self.place.artifacts())?;
        files::make_directory(shelf)?;
        let synced = fs::File::open(&self.beside).and_then(|file| file.sync_all());
        synced.map_err(BackupError::io("write", &self.beside))?;
        if let Some(key) = key {
            read_back(&self.beside, &key, (size, sha256), (stored_size, stored_sha256))?;
        }
        fs::rename(&self.beside, &target).map_err(BackupError::io("write", &target))?;
        files::sync_directory(shelf)?;
        let kept = KeptArtifact { sha256, size, stored_name, stored_size, stored_sha256 };
        self.known.insert(sha256, kept.clone());
        Ok(Ok(kept))
    }

    /// What is there of it, if it is whole: it is read for that. One that is not is put anew, which also heals what older
    /// backups have of it.
    fn there(&self, artifact: &UsedArtifact) -> Option<KeptArtifact> {
        let kept = match self.recipients {
            [] => KeptArtifact {
                sha256: artifact.sha256,
                size: artifact.size,
                stored_name: plain_name(&artifact.sha256),
                stored_size: artifact.size,
                stored_sha256: artifact.sha256,
            },
            _ => self.known.get(&artifact.sha256)?.clone(),
        };
        check(self.place, &kept).is_ok().then_some(kept)
    }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

/// Whether a file on the shelf is what the manifest says, or how it is not.
pub(super) fn check(place: &Place, kept: &KeptArtifact) -> Result<(), String> {
    let path = place.artifacts().join(&kept.stored_name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return Err("it is not a file".to_owned()),
        Ok(metadata) if metadata.len() != kept.stored_size => {
            return Err(format!("it has {} bytes and should have {}", metadata.len(), kept.stored_size));
        }
        Ok(_) => {}
        Err(error) => return Err(unreadable(&error)),
    }
    let (_, sha256) = files::digest(&path).map_err(|error| unreadable(&error))?;
    if sha256 == kept.stored_sha256 {
        Ok(())
    } else {
        Err(format!("it has the SHA-256 {sha256} and should have {}: it is damaged", kept.stored_sha256))
    }
}

/// Whether every file of models that a backup names is on the shelf and whole: they are read for that.
pub fn has_its_artifacts(place: &Place, manifest: &Manifest) -> bool {
    manifest.artifacts.iter().all(|kept| check(place, kept).is_ok())
}

/// Whether a manifest names a file as this program would: nothing outside the shelf is ever read or removed on its word.
pub(super) fn is_named_well(kept: &KeptArtifact) -> bool {
    let plain = kept.stored_name == plain_name(&kept.sha256);
    (plain && kept.stored_sha256 == kept.sha256 && kept.stored_size == kept.size)
        || kept.stored_name == sealed_name(&kept.sha256, &kept.stored_sha256)
}

/// Removes the files that none of `manifests` names.
pub(super) fn collect<'a>(place: &Place, manifests: impl Iterator<Item = &'a Manifest>) -> Result<usize, BackupError> {
    let named: BTreeSet<&str> = manifests
        .flat_map(|manifest| manifest.artifacts.iter().map(|artifact| artifact.stored_name.as_str()))
        .collect();
    let mut removed = 0;
    for shelf in entries(&place.artifacts())? {
        let shelf_name = shelf.file_name();
        let Some(shelf_name) = shelf_name.to_str().filter(|name| is_hex(name, 2)) else { continue };
        for file in entries(&shelf.path())? {
            let name = file.file_name();
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
            if !named.contains(format!("{shelf_name}/{name}").as_str()) {
                files::remove(&file.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, BackupError> {
    let looked = match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    looked.map_err(BackupError::io("look into", directory))
}

fn is_hex(name: &str, length: usize) -> bool {
    name.len() == length && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether `name` below `artifacts/` is one that this program gives.
pub(super) fn is_stored_name(name: &str) -> bool {
    name.split_once('/').is_some_and(|(shelf, file)| is_hex(shelf, 2) && is_ours(file))
}

fn is_ours(name: &str) -> bool {
    match name.strip_suffix(SEALED).map(|name| name.split_once('.')) {
        None => is_hex(name, 62),
        Some(Some((digest, stored))) => is_hex(digest, 62) && is_hex(stored, 16),
        Some(None) => false,
    }
}
