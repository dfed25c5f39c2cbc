use std::collections::HashMap;

use super::Remote;
use super::content::Content;
use super::error::{Problem, RemoteError};
use super::objects::Listed;
use crate::backup::Place;
use crate::backup::layout::{MANIFEST, SUMS};
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
    /// files that the store has. The backup counts there only when all of it is there.
    pub async fn put_backup(&self, place: &Place, manifest: &Manifest) -> Result<Sent, RemoteError> {
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
        let ours = self.place.key(&format!("{id}/"));
        for upload in found {
            let dead = upload.begun.is_none_or(|begun| now().minus(DEAD) > begun);
            if dead || upload.key.starts_with(&ours) {
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
