use std::collections::BTreeSet;
use std::sync::Arc;

use super::copy::{CopyFailure, Copying, RemotePlace};
use crate::backup::Place;
use crate::backup::remote::{Owner, Patience, Remote, RemoteError, S3Place};
use crate::config::S3;
use crate::domain::backup::{BackupId, Keep, Manifest};
use crate::observe::now;

/// The bucket of `[backup.s3]`.
struct Bucket {
    settings: S3,
    keep: Keep,
}

/// The store that is configured.
pub(super) fn configured(settings: &S3, keep: Keep) -> Option<Arc<dyn RemotePlace>> {
    settings.is_on().then(|| Arc::new(Bucket { settings: settings.clone(), keep }) as Arc<dyn RemotePlace>)
}

impl RemotePlace for Bucket {
    fn place(&self) -> String {
        self.settings.place()
    }

    fn check(&self, to: &str) -> Result<String, String> {
        let place: S3Place = to.parse().map_err(|error: crate::backup::remote::BadS3Place| error.to_string())?;
        match place.id {
            Some(id) => Err(format!("names the backup {id}: leave that out, each gets its own name")),
            None => Ok(place.to_string()),
        }
    }

    fn copy<'a>(
        &'a self,
        from: &'a Place,
        manifest: &'a Manifest,
        to: &'a str,
        damaged: Option<&'a BTreeSet<BackupId>>,
    ) -> Copying<'a> {
        Box::pin(self.copied(from, manifest, to, damaged))
    }
}

impl Bucket {
    async fn copied(
        &self,
        from: &Place,
        manifest: &Manifest,
        to: &str,
        damaged: Option<&BTreeSet<BackupId>>,
    ) -> Result<(), CopyFailure> {
        let place: S3Place = to.parse().map_err(|error: crate::backup::remote::BadS3Place| CopyFailure {
            why: error.to_string(),
            may_pass: false,
        })?;
        // Made anew each time: the secret is read again, and so is what the name says.
        let remote = Remote::new(&self.settings, Some(&place), Patience::default()).map_err(failure)?;
        let (owner, usual) = (Owner::this_machine(), to == self.settings.place());
        if usual {
            remote.claim(&owner).await.map_err(failure)?;
        }
        let sent = remote.put_backup(from, manifest, &owner).await.map_err(failure)?;
        let (files, bytes) = (sent.files, sent.bytes);
        tracing::info!(to, files, bytes, "backup {} is copied; {} files were there", manifest.id, sent.present);
        // What somebody has sent to a place of their own is theirs to remove.
        if let Some(damaged) = damaged.filter(|_| usual) {
            match remote.prune(&self.keep, now(), &owner, damaged).await {
                Ok(removed) if removed.is_empty() => {}
                Ok(removed) => {
                    let ids: Vec<String> = removed.iter().map(ToString::to_string).collect();
                    tracing::info!(to, "removed by backup.keep_*: {}", ids.join(", "));
                }
                // The copy is there all the same; the next one tries again.
                Err(error) => tracing::warn!(to, "older copies could not be removed: {error}"),
            }
        }
        Ok(())
    }
}

fn failure(error: RemoteError) -> CopyFailure {
    CopyFailure { may_pass: error.may_pass(), why: error.to_string() }
}
