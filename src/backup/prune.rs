use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::artifacts;
use super::error::BackupError;
use super::files;
use super::layout::{MANIFEST, Place};
use super::list::{Found, list};
use super::lock::Lock;
use crate::domain::backup::{BackupId, Held, Keep, Manifest, lacked, to_remove};
use crate::domain::model::Digest;
use crate::domain::time::Micros;

/// What retention did.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// The backups that no rule wants any more, which are gone.
    pub(super) removed: Vec<BackupId>,
    /// Those that were to stand in for older ones, were read for that, and are damaged; and how it shows.
    pub(super) doubted: BTreeMap<BackupId, String>,
}

/// What is known of the backups of a place before any is removed.
pub(super) struct Known<'a> {
    /// The one that has just been made and verified.
    pub(super) verified: BackupId,
    /// Those that somebody has looked through and found damaged. They count for nothing, and stay for the operator to see.
    pub(super) damaged: &'a BTreeSet<BackupId>,
}

/// Removes the backups that no rule wants any more, and then the models' files that no backup names. By whoever has the
/// lock.
pub(super) fn prune(
    _: &Lock,
    place: &Place,
    keep: &Keep,
    now: Micros,
    known: &Known<'_>,
) -> Result<Pruned, BackupError> {
    let mut found = list(place)?;
    let (mut removed, doubted) = chosen(&found, keep, now, known);
    let needed = needed(place, &found, &removed);
    removed.retain(|id| !needed.contains(id));
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
    Ok(Pruned { removed, doubted })
}

/// Which go, and which were found damaged when that was asked. Backups rot: before one goes, the next newer one, which
/// takes its place, is read, and where that is not what it was, it counts for nothing and the question is asked anew.
fn chosen(found: &[Found], keep: &Keep, now: Micros, known: &Known<'_>) -> (Vec<BackupId>, BTreeMap<BackupId, String>) {
    let mut doubted = BTreeMap::new();
    let mut read = BTreeSet::from([known.verified]);
    loop {
        let whole = |backup: &Found| {
            backup.manifest.is_ok() && !known.damaged.contains(&backup.id) && !doubted.contains_key(&backup.id)
        };
        let held: Vec<Held> = found.iter().map(|backup| Held { id: backup.id, whole: whole(backup) }).collect();
        let removed = to_remove(&held, keep, now);
        let stays = |backup: &&Found| whole(backup) && !removed.contains(&backup.id);
        let unread: Vec<&Found> = removed
            .iter()
            .filter_map(|id| found.iter().filter(stays).find(|backup| backup.id > *id))
            .filter(|backup| read.insert(backup.id))
            .collect();
        let damaged: Vec<_> = unread.into_iter().filter_map(|backup| Some((backup.id, fault(backup)?))).collect();
        if damaged.is_empty() {
            return (removed, doubted);
        }
        doubted.extend(damaged);
    }
}

/// The backups that have the last whole copy of a model's file which one that stays lacks: without them it would be gone
/// for good. On the shelf the file may have rotted, so it is read, newest first.
fn needed(place: &Place, found: &[Found], removed: &[BackupId]) -> BTreeSet<BackupId> {
    let manifests = || found.iter().filter_map(|backup| backup.manifest.as_ref().ok());
    let lacking: BTreeSet<_> = manifests()
        .filter(|manifest| !removed.contains(&manifest.id))
        .flat_map(|manifest| manifest.lacking.iter().map(|lacking| lacking.sha256))
        .collect();
    let has = |id: &BackupId, sha256: &Digest| {
        manifests()
            .find(|manifest| manifest.id == *id)
            .and_then(|manifest| manifest.artifacts.iter().find(|artifact| artifact.sha256 == *sha256))
            .is_some_and(|artifact| artifacts::check(place, artifact).is_ok())
    };
    lacked(manifests())
        .iter()
        .filter(|(sha256, _)| lacking.contains(sha256))
        .filter_map(|(sha256, having)| having.iter().find(|id| has(id, sha256)).copied())
        .collect()
}

/// What is wrong with the data file of a backup, which is read for that.
fn fault(backup: &Found) -> Option<String> {
    let manifest = backup.manifest.as_ref().ok()?;
    match files::digest(&backup.path.join(&manifest.data.name)) {
        Ok((_, sha256)) if sha256 == manifest.data.sha256 => None,
        Ok(_) => Some(format!("{} is not what was written", manifest.data.name)),
        Err(error) => Some(format!("{}: {error}", manifest.data.name)),
    }
}

/// What a backup names, also where its checksums are wrong.
fn named(backup: &Found) -> Option<Manifest> {
    match &backup.manifest {
        Ok(manifest) => Some(manifest.clone()),
        Err(_) => serde_json::from_slice(&fs::read(backup.path.join(MANIFEST)).ok()?).ok(),
    }
}
