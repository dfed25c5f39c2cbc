use std::collections::HashMap;

use super::content::Content;
use super::error::{Problem, RemoteError};
use super::objects::{Listed, Unfinished};
use super::{Owner, Remote};
use crate::backup::Place;
use crate::backup::artifacts::is_stored_name;
use crate::backup::layout::{MANIFEST, SUMS, is_of_a_backup};
use crate::backup::list::read_manifest;
use crate::domain::backup::{BackupId, KeptArtifact, Manifest};
use crate::domain::time::Micros;
use crate::observe::now;

/// How long an upload may take before whoever comes next takes it for dead.
const DEAD: u64 = Micros::DAY;

/// What a copy took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Files that were sent.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there.
    pub present: u64,
}

impl Remote {
    /// Copies a backup that is whole in `place`. What an earlier try has sent is not sent again, and neither are models'
    /// files that the store has. The backup counts there only when all of it is there. A place that is not `owner`'s is
    /// left alone.
    pub async fn put_backup(&self, place: &Place, manifest: &Manifest, owner: &Owner) -> Result<Sent, RemoteError> {
        let id = manifest.id;
        let directory = place.backup(id);
        let local = |step, name: &str| {
            let path = directory.join(name);
            move |source| Problem::Local { step, path, source }
        };
        // Small, and so is the work.
        if let Err(why) = read_manifest(&directory, Some(id)) {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why);
            return Err(self.at(&id.to_string())(local("send", "")(source)));
        }
        let mut words = Vec::new();
        for name in [MANIFEST, SUMS] {
            let text = std::fs::read(directory.join(name)).map_err(local("read", name));
            words.push((format!("{id}/{name}"), text.map_err(self.at(&format!("{id}/{name}")))?));
        }
        self.is_owned(owner).await?;
        self.make_way(manifest, words.last().map_or(&[], |(_, sums)| sums)).await?;
        self.forget_unfinished(id).await?;
        let mut sent = self.put_artifacts(place, &manifest.artifacts).await?;
        let data = &manifest.data;
        let name = format!("{id}/{}", data.name);
        let key = self.place.key(&name);
        let there = self.client.head(&key).await.map_err(self.at(&name))?;
        if there.is_some_and(|head| head.size == data.size && head.said == Some(data.sha256)) {
            sent.present += 1;
        } else {
            let path = directory.join(&data.name);
            self.client.put_file(&key, &path, data.size, &data.sha256).await.map_err(self.at(&name))?;
            sent.count(data.size);
        }
        // It was long on its way: what another machine's retention thinks of now may be gone when this backup counts.
        self.is_owned(owner).await?;
        for (name, text) in words {
            let size = text.len() as u64;
            crate::failpoint!("backup::remote_words");
            self.client.put(&self.place.key(&name), Content::bytes(text)).await.map_err(self.at(&name))?;
            sent.count(size);
        }
        Ok(sent)
    }

    async fn put_artifacts(&self, place: &Place, artifacts: &[KeptArtifact]) -> Result<Sent, RemoteError> {
        let mut sent = Sent::default();
        if artifacts.is_empty() {
            return Ok(sent);
        }
        let prefix = self.place.key("artifacts/");
        let mut missing: HashMap<String, &KeptArtifact> =
            artifacts.iter().map(|artifact| (format!("{prefix}{}", artifact.stored_name), artifact)).collect();
        let all = missing.len() as u64;
        let look = |listed: Listed| {
            if missing.get(&listed.key).is_some_and(|artifact| artifact.stored_size == listed.size) {
                missing.remove(&listed.key);
            }
        };
        self.client.list(&prefix, look).await.map_err(self.at("artifacts/"))?;
        sent.present = all - missing.len() as u64;
        for (key, artifact) in missing {
            let (size, digest) = (artifact.stored_size, &artifact.stored_sha256);
            let path = place.artifacts().join(&artifact.stored_name);
            let sending = self.client.put_file(&key, &path, size, digest);
            sending.await.map_err(self.at(&format!("artifacts/{}", artifact.stored_name)))?;
            sent.count(size);
        }
        Ok(sent)
    }

    /// Has the store forget large uploads of this backup, and whatever died long ago: their parts cost money, and no list
    /// of objects shows them.
    async fn forget_unfinished(&self, id: BackupId) -> Result<(), RemoteError> {
        let prefix = self.place.key("");
        let found = match self.client.unfinished(&prefix).await {
            Ok(found) => found,
            // A key that may write and not look after uploads will do, and so will a store without such a list. That the
            // bucket is not there, or the key is wrong, shows at once as well.
            Err(Problem::Refused(refusal)) if matches!(refusal.code.as_str(), "AccessDenied" | "NotImplemented") => {
                return Ok(());
            }
            Err(problem) => return Err(self.at("")(problem)),
        };
        let now = now();
        for upload in found {
            if upload.key.strip_prefix(&prefix).is_some_and(|name| is_abandoned(name, &upload, id, now)) {
                self.client.abort(&upload.key, &upload.upload).await.map_err(self.at(""))?;
            }
        }
        Ok(())
    }
}

impl Sent {
    fn count(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// Whether a large upload of what `name` is called below the prefix is to be forgotten while `id` is sent. Not one of
/// somebody else, whose program may take days, and not one of whose age nothing is known.
fn is_abandoned(name: &str, upload: &Unfinished, id: BackupId, now: Micros) -> bool {
    let of = match name.split_once('/') {
        Some(("artifacts", file)) if is_stored_name(file) => None,
        Some((backup, file)) if is_of_a_backup(file) => match backup.parse::<BackupId>() {
            Ok(backup) => Some(backup),
            Err(_) => return false,
        },
        _ => return false,
    };
    of == Some(id) || upload.begun.is_some_and(|begun| now.minus(DEAD) > begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_of_others_go_on() {
        let id: BackupId = "2026-11-21T031500Z".parse().unwrap();
        let now = id.taken_at();
        let (old, young) = (Some(now.minus(2 * DEAD)), Some(now.minus(DEAD / 2)));
        let model = format!("artifacts/ab/{}", "0".repeat(62));
        for (name, begun, abandoned) in [
            ("2026-11-21T031500Z/quantum.redb", young, true),
            ("2026-11-21T031500Z/quantum.redb.age", None, true),
            ("2026-11-20T031500Z/quantum.redb", young, false),
            ("2026-11-20T031500Z/quantum.redb", old, true),
            ("2026-11-20T031500Z/quantum.redb", None, false),
            (&model, old, true),
            (&model, None, false),
            ("2026-11-21T031500Z/notes", old, false),
            ("artifacts/run1/model.pkl", old, false),
            ("artifacts/run1/model.pkl", None, false),
            ("video.mkv", old, false),
        ] {
            let upload = Unfinished { key: name.to_owned(), upload: "u".to_owned(), begun };
            assert_eq!(is_abandoned(name, &upload, id, now), abandoned, "{name} {begun:?}");
        }
    }
}
