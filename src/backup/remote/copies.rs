use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::error::{Problem, RemoteError};
use super::objects::Listed;
use super::{Owner, Remote};
use crate::backup::artifacts::is_stored_name;
use crate::backup::layout::{MANIFEST, SUMS, is_of_a_backup, plain_name};
use crate::backup::list::{MOST_MANIFEST, checked};
use crate::domain::backup::{BackupId, Held, Keep, Manifest, to_remove};
use crate::domain::model::Digest;
use crate::domain::time::Micros;

/// The longest `SHA256SUMS` that is read: it has two lines.
pub(super) const MOST_SUMS: u64 = 4_096;

/// How old a model's file must be that no backup names, before it goes: another one may just be on its way.
const GRACE: u64 = Micros::DAY;

/// A backup in the store.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Its name.
    pub id: BackupId,
    /// What it says of itself, or why it is none. Of the data file only the size was looked at.
    pub manifest: Result<Manifest, String>,
    /// Whether it has no checksums: it was on its way, and did not arrive.
    pub unfinished: bool,
}

/// What retention has to know of a backup.
struct Kept {
    id: BackupId,
    unfinished: bool,
    /// The models' files that it names; none where it is not whole. Backups share most names, and so does this.
    named: Option<Vec<Arc<str>>>,
    /// Those that it lacks.
    lacking: Vec<Digest>,
}

impl Kept {
    fn of(copy: Copied, known: &mut HashSet<Arc<str>>) -> Self {
        let mut share = |name: String| {
            let name = Arc::from(name);
            known.get(&name).cloned().unwrap_or_else(|| {
                known.insert(Arc::clone(&name));
                name
            })
        };
        let Copied { id, manifest, unfinished } = copy;
        let Ok(Manifest { artifacts, lacking, .. }) = manifest else {
            return Self { id, unfinished, named: None, lacking: Vec::new() };
        };
        let named = artifacts.into_iter().map(|artifact| share(artifact.stored_name)).collect();
        Self { id, unfinished, named: Some(named), lacking: lacking.into_iter().map(|one| one.sha256).collect() }
    }

    /// Whether it has the file of a model, encrypted or not.
    fn has(&self, sha256: &Digest) -> bool {
        let name = plain_name(sha256);
        self.named.iter().flatten().any(|named| named.starts_with(&name))
    }
}

impl Remote {
    /// Every backup there to `each`, oldest first. One by one: a manifest may be as large as the memory of a small machine
    /// would have it for all of them.
    pub async fn list(&self, mut each: impl FnMut(Copied)) -> Result<(), RemoteError> {
        let names = self.client.names(&self.place.key("")).await.map_err(self.at(""))?;
        let mut ids: Vec<BackupId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort_unstable();
        for id in ids {
            each(self.look(id).await?);
        }
        Ok(())
    }

    async fn look(&self, id: BackupId) -> Result<Copied, RemoteError> {
        let (manifest, unfinished) = match self.words(id).await? {
            None => (Err(format!("{SUMS} is not there: it was on its way, and did not arrive")), true),
            Some(Err(why)) => (Err(why), false),
            Some(Ok(manifest)) => {
                let data = &manifest.data;
                let name = format!("{id}/{}", data.name);
                let head = self.client.head(&self.place.key(&name)).await.map_err(self.at(&name))?;
                let manifest = match head {
                    None => Err(format!("{} is not there", data.name)),
                    Some(head) if head.size != data.size => {
                        Err(format!("{} has {} bytes and should have {}", data.name, head.size, data.size))
                    }
                    Some(_) => Ok(manifest),
                };
                (manifest, false)
            }
        };
        Ok(Copied { id, manifest, unfinished })
    }

    /// What a backup says of itself, where it does and it makes sense; none where its checksums are not there.
    async fn words(&self, id: BackupId) -> Result<Option<Result<Manifest, String>>, RemoteError> {
        let (sums_at, manifest_at) = (format!("{id}/{SUMS}"), format!("{id}/{MANIFEST}"));
        let sums = self.client.get(&self.place.key(&sums_at), MOST_SUMS).await.map_err(self.at(&sums_at))?;
        let Some(sums) = sums else { return Ok(None) };
        let text = self.client.get(&self.place.key(&manifest_at), MOST_MANIFEST).await;
        let Some(text) = text.map_err(self.at(&manifest_at))? else {
            return Ok(Some(Err(format!("{MANIFEST} is not there"))));
        };
        Ok(Some(checked(&text, &sums, Some(id))))
    }

    /// Removes the backups that no rule wants any more, what did not arrive and was followed by one that did, and then the
    /// models' files that no backup names; which backups.
    /// The place becomes `owner`'s by that, or nothing is done.
    /// Those that are `damaged` where they were copied from count for nothing and stay, as there, and so does the newest
    /// that has a model's file which another lacks.
    pub async fn prune(
        &self,
        keep: &Keep,
        now: Micros,
        owner: &Owner,
        damaged: &BTreeSet<BackupId>,
    ) -> Result<Vec<BackupId>, RemoteError> {
        self.claim(owner).await?;
        let mut copies = Vec::new();
        let mut known = HashSet::new();
        self.list(|copy| copies.push(Kept::of(copy, &mut known))).await?;
        drop(known);
        let is_whole = |copy: &Kept| copy.named.is_some() && !damaged.contains(&copy.id);
        let held: Vec<Held> = copies.iter().map(|copy| Held { id: copy.id, whole: is_whole(copy) }).collect();
        let mut gone = to_remove(&held, keep, now);
        let needed = needed(&copies, &gone);
        gone.retain(|id| !needed.contains(id));
        // One from the future followed nothing.
        let past = |held: &&Held| held.whole && held.id.taken_at() <= now;
        let newest = held.iter().filter(past).map(|held| held.id).max();
        gone.extend(copies.iter().filter(|copy| copy.unfinished && Some(copy.id) < newest).map(|copy| copy.id));
        let mut removed = Vec::new();
        for id in &gone {
            if self.remove(*id).await? {
                removed.push(*id);
            }
        }
        let left: Vec<&Kept> = copies.iter().filter(|copy| !gone.contains(&copy.id)).collect();
        // What one that cannot be read names is not known, and may be all that is left to restore it with.
        if left.iter().all(|copy| copy.named.is_some() || copy.unfinished) {
            self.remove_unnamed(&left, now).await?;
        }
        Ok(removed)
    }

    /// Whether anything of ours was there.
    async fn remove(&self, id: BackupId) -> Result<bool, RemoteError> {
        // From the first request on it is no backup any more.
        let sums = format!("{id}/{SUMS}");
        self.client.delete(&self.place.key(&sums)).await.map_err(self.at(&sums))?;
        let name = format!("{id}/");
        let above = self.place.key(&name);
        let mut keys = Vec::new();
        let look = |listed: Listed| {
            if listed.key.strip_prefix(&above).is_some_and(is_of_a_backup) {
                keys.push(listed.key);
            }
        };
        self.client.list(&above, look).await.map_err(self.at(&name))?;
        let found = !keys.is_empty();
        for key in keys {
            self.client.delete(&key).await.map_err(self.at(&name))?;
        }
        Ok(found)
    }

    /// Others may have their own below `artifacts/`, above all where the prefix is empty: only what has a name that this
    /// program gives can be left of a backup.
    async fn remove_unnamed(&self, left: &[&Kept], now: Micros) -> Result<(), RemoteError> {
        let prefix = self.place.key("artifacts/");
        let named: HashSet<&str> =
            left.iter().filter_map(|copy| copy.named.as_ref()).flatten().map(|name| &**name).collect();
        let mut unnamed = Vec::new();
        let look = |listed: Listed| {
            let old = listed.modified.is_some_and(|at| at < now.minus(GRACE));
            let ours = |name: &str| is_stored_name(name) && !named.contains(name);
            if old && listed.key.strip_prefix(&prefix).is_some_and(ours) {
                unnamed.push(listed.key);
            }
        };
        self.client.list(&prefix, look).await.map_err(self.at("artifacts/"))?;
        for key in unnamed {
            self.client
                .delete(&key)
                .await
                .map_err(|problem: Problem| problem.at(format!("s3://{}/{key}", self.place.bucket)))?;
        }
        Ok(())
    }
}

/// The newest copies that have a file which one that stays lacks: without them it would be gone for good.
fn needed(copies: &[Kept], gone: &[BackupId]) -> BTreeSet<BackupId> {
    let stays = |copy: &&Kept| !gone.contains(&copy.id);
    let lacking: BTreeSet<Digest> = copies.iter().filter(stays).flat_map(|copy| &copy.lacking).copied().collect();
    lacking.iter().filter_map(|sha256| copies.iter().rfind(|copy| copy.has(sha256))).map(|copy| copy.id).collect()
}
