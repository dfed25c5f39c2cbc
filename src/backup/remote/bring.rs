use std::io::Write;

use tokio::runtime::{Builder, Runtime};

use super::Remote;
use super::copies::MOST_SUMS;
use super::error::{Problem, RemoteError};
use crate::backup::layout::{MANIFEST, SUMS};
use crate::backup::list::MOST_MANIFEST;
use crate::backup::receive::{Bring, BringError, Lies};
use crate::domain::backup::{BackupId, Piece};

/// A backup in the store, as its pieces come from there. Blocks: not for a thread that drives a runtime.
#[derive(Debug)]
pub struct RemoteBackup<'a> {
    remote: &'a Remote,
    id: BackupId,
    runtime: Runtime,
}

impl<'a> RemoteBackup<'a> {
    /// The backup `id`; whether it is there shows when its first piece is asked for.
    pub fn new(remote: &'a Remote, id: BackupId) -> Result<Self, RemoteError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let own = |error: std::io::Error| Problem::Own(error.to_string()).at(remote.place().to_string());
        Ok(Self { remote, id, runtime: runtime.map_err(own)? })
    }

    async fn asked(&self, lies: &Lies, into: &mut dyn Write) -> Result<(), RemoteError> {
        let Remote { client, place } = self.remote;
        let key = place.key(&lies.at);
        if let Some(size) = lies.size {
            return client.get_file(&key, size, into).await.map_err(self.remote.at(&lies.at));
        }
        let are_sums = lies.at.ends_with(SUMS);
        let text = client.get(&key, if are_sums { MOST_SUMS } else { MOST_MANIFEST }).await;
        match text.map_err(self.remote.at(&lies.at))? {
            Some(text) => into.write_all(&text).map_err(|error| Problem::Own(error.to_string()).at(key)),
            None if are_sums => Err(self.remote.at(&self.id.to_string())(Problem::Missing(self.id))),
            None => Err(Problem::Damaged(format!("{MANIFEST} is not there: take another backup")).at(key)),
        }
    }
}

impl Bring for RemoteBackup<'_> {
    fn bring(&mut self, _: &Piece, lies: &Lies, into: &mut dyn Write) -> Result<(), BringError> {
        self.runtime.block_on(self.asked(lies, into)).map_err(|error| match *error.problem {
            Problem::Damaged(why) => BringError::Damaged(why),
            _ => BringError::Failed(Box::new(error)),
        })
    }

    fn shown(&self, at: &str) -> String {
        self.remote.place.shown(at)
    }
}
