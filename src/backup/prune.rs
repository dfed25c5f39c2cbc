use std::fs;

use super::artifacts;
use super::error::BackupError;
use super::files;
use super::layout::{MANIFEST, Place};
use super::list::{Found, list};
use super::lock::Lock;
use crate::domain::backup::{BackupId, Held, Keep, Manifest, to_remove};
use crate::domain::time::Micros;

/// Removes the backups that no rule wants any more, and then the models' files that no backup names; which backups.
pub fn prune(place: &Place, keep: &Keep, now: Micros) -> Result<Vec<BackupId>, BackupError> {
    if !place.directory.is_dir() {
        return Ok(Vec::new());
    }
    let lock = Lock::take(place)?;
    lock.clean(place)?;
    prune_locked(&lock, place, keep, now, None)
}

/// The same, by whoever has the lock. `verified` names the backup that has just been verified.
pub(super) fn prune_locked(
    _: &Lock,
    place: &Place,
    keep: &Keep,
    now: Micros,
    verified: Option<BackupId>,
) -> Result<Vec<BackupId>, BackupError> {
    let mut found = list(place)?;
    doubt_the_newest(&mut found, verified);
    let held: Vec<Held> = found.iter().map(|backup| Held { id: backup.id, whole: backup.manifest.is_ok() }).collect();
    let removed = to_remove(&held, keep, now);
    for id in &removed {
        // Under the name of an unfinished one it is no backup at once, and goes with the next start if not now.
        let doomed = place.partial(*id);
        fs::rename(place.backup(*id), &doomed).map_err(BackupError::io("remove", place.backup(*id)))?;
        crate::failpoint!("backup::doomed");
        files::remove(&doomed)?;
    }
    if !removed.is_empty() {
        files::sync_directory(&place.directory)?;
    }
    found.retain(|backup| !removed.contains(&backup.id));
    // What a backup names that cannot be read is not known: nothing goes then.
    let manifests: Option<Vec<Manifest>> = found.iter().map(named).collect();
    if let Some(manifests) = manifests {
        artifacts::collect(place, manifests.iter())?;
    }
    Ok(removed)
}

/// Backups rot. Before older ones go on the word of the newest, its data file is read, and if that is not what it was, the
/// one before it has to stand in.
fn doubt_the_newest(found: &mut [Found], verified: Option<BackupId>) {
    for backup in found.iter_mut().rev() {
        let Ok(manifest) = &backup.manifest else { continue };
        if verified == Some(backup.id) {
            return;
        }
        match files::digest(&backup.path.join(&manifest.data.name)) {
            Ok((_, sha256)) if sha256 == manifest.data.sha256 => return,
            Ok(_) => backup.manifest = Err(format!("{} is damaged", manifest.data.name)),
            Err(error) => backup.manifest = Err(format!("{}: {error}", manifest.data.name)),
        }
    }
}

/// What a backup names, also where its checksums are wrong.
fn named(backup: &Found) -> Option<Manifest> {
    match &backup.manifest {
        Ok(manifest) => Some(manifest.clone()),
        Err(_) => serde_json::from_slice(&fs::read(backup.path.join(MANIFEST)).ok()?).ok(),
    }
}
