use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::artifacts::is_named_well;
use super::error::BackupError;
use super::layout::{DATA, MANIFEST, Place, SEALED, SUMS};
use crate::domain::backup::{BackupId, MANIFEST_FORMAT, Manifest};
use crate::domain::model::Digest;

/// The longest manifest that is read: one of a hundred thousand models' files is a quarter of that.
pub(super) const MOST_MANIFEST: u64 = 128 << 20;

/// A directory with a backup's name.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub id: BackupId,
    /// Its directory.
    pub path: PathBuf,
    /// What it says of itself, or why it is no backup. Neither the data file nor models' files were read for this.
    pub manifest: Result<Manifest, String>,
}

/// Manifests that were read and found good, for who looks again and again: one names every file of models, and nothing of
/// a backup changes once it has its name.
#[derive(Debug, Default)]
pub struct Manifests(Mutex<BTreeMap<PathBuf, ([Stamp; 2], Manifest)>>);

/// How a file was when it was read: another file, or another content, has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Manifests {
    /// Every backup of a place, as [`list`] finds them.
    pub fn list(&self, place: &Place) -> Result<Vec<Found>, BackupError> {
        let mut known = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut seen = BTreeMap::new();
        let found = list_by(place, &mut |path, id| {
            let stamps = Option::zip(Stamp::of(&path.join(MANIFEST)), Stamp::of(&path.join(SUMS)));
            let stamps = stamps.map(|(manifest, sums)| [manifest, sums]);
            let manifest = match (stamps, known.remove(path)) {
                (Some(now), Some((then, manifest))) if now == then => manifest,
                _ => read_words(path, Some(id))?,
            };
            if let Some(stamps) = stamps {
                seen.insert(path.to_owned(), (stamps, manifest.clone()));
            }
            data_is_there(path, &manifest)?;
            Ok(manifest)
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        found
    }
}

/// Every backup of a place, oldest first. None where the directory does not exist.
pub fn list(place: &Place) -> Result<Vec<Found>, BackupError> {
    list_by(place, &mut |path, id| read_manifest(path, Some(id)))
}

/// The same; `manifest` says what each says of itself.
fn list_by(
    place: &Place,
    manifest: &mut dyn FnMut(&Path, BackupId) -> Result<Manifest, String>,
) -> Result<Vec<Found>, BackupError> {
    let looked = |error| BackupError::io("look into", &place.directory)(error);
    let entries = match fs::read_dir(&place.directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(looked(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(looked)?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<BackupId>().ok()) else { continue };
        let path = entry.path();
        let manifest = manifest(&path, id);
        found.push(Found { id, path, manifest });
    }
    found.sort_by_key(|backup| backup.id);
    Ok(found)
}

/// The manifest of the backup in `path`, which is named `id` where its directory is named at all, if its checksums are
/// right and the data file is there with its size.
pub(super) fn read_manifest(path: &Path, id: Option<BackupId>) -> Result<Manifest, String> {
    let manifest = read_words(path, id)?;
    data_is_there(path, &manifest)?;
    Ok(manifest)
}

fn read_words(path: &Path, id: Option<BackupId>) -> Result<Manifest, String> {
    checked(&read(&path.join(MANIFEST))?, &read(&path.join(SUMS))?, id)
}

/// Whether the data file has its size.
fn data_is_there(path: &Path, manifest: &Manifest) -> Result<(), String> {
    let size = match fs::symlink_metadata(path.join(&manifest.data.name)) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(format!("{} is not a file", manifest.data.name)),
        Err(error) => return Err(format!("{}: {error}", manifest.data.name)),
    };
    if size != manifest.data.size {
        return Err(format!("{} has {size} bytes and should have {}", manifest.data.name, manifest.data.size));
    }
    Ok(())
}

/// What a backup says of itself, if its words agree with each other and name no file outside of it.
pub(super) fn checked(text: &[u8], sums: &[u8], id: Option<BackupId>) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| format!("{MANIFEST}: {error}"))?;
    if manifest.format > MANIFEST_FORMAT {
        return Err(format!(
            "{MANIFEST} has format {}, and this program reads up to {MANIFEST_FORMAT}: use a later one",
            manifest.format
        ));
    }
    if sums != sums_of(&manifest, text).as_bytes() {
        return Err(format!("{SUMS} and {MANIFEST} do not agree: one of them was changed or damaged"));
    }
    if id.is_some_and(|id| manifest.id != id) {
        return Err(format!("{MANIFEST} is that of {}", manifest.id));
    }
    let data = if manifest.recipients.is_empty() { DATA.to_owned() } else { format!("{DATA}{SEALED}") };
    if manifest.data.name != data || !manifest.artifacts.iter().all(is_named_well) {
        return Err(format!("{MANIFEST} names files that no backup has"));
    }
    Ok(manifest)
}

/// What `SHA256SUMS` must be, in sha256sum's own format.
pub(super) fn sums_of(manifest: &Manifest, text: &[u8]) -> String {
    let digest = Digest(Sha256::digest(text).into());
    format!("{}  {}\n{digest}  {MANIFEST}\n", manifest.data.sha256, manifest.data.name)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    use io::Read as _;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = fs::File::open(path).map_err(|error| format!("{name}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(MOST_MANIFEST + 1).read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() as u64 > MOST_MANIFEST {
        return Err(format!("{name} is longer than {MOST_MANIFEST} bytes"));
    }
    Ok(bytes)
}

impl Found {
    /// Whether it says of itself that it is whole.
    pub fn is_readable(&self) -> bool {
        self.manifest.is_ok()
    }

    /// The path of a file of it, if the manifest names it: nothing else of the directory is anybody's business.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let manifest = self.manifest.as_ref().ok()?;
        [MANIFEST, SUMS, manifest.data.name.as_str()].contains(&name).then(|| self.path.join(name))
    }
}
