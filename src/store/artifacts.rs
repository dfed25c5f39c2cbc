use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::ARTIFACTS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::model::{ArtifactFile, Digest};

/// A file that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct StoredArtifact {
    /// Bytes.
    pub size: u64,
    /// How many entries of manifests name it. At 0 the file is to be removed, and the row after it: a row whose file is
    /// gone is told from a file that no row names, which is somebody else's.
    pub uses: u64,
}

records! { StoredArtifact = 1, "artifact"; }

fn get(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    digest: &Digest,
) -> Result<Option<StoredArtifact>, StoreError> {
    table.get(digest.0.as_slice())?.map(|row| codec::decode(row.value())).transpose()
}

impl Store {
    /// What is known of a file that was taken in.
    pub fn artifact(&self, digest: &Digest) -> Result<Option<StoredArtifact>, StoreError> {
        self.read(|ReadTxn { txn }| get(&txn.open_table(ARTIFACTS)?, digest))
    }

    /// Every file that was taken in, by digest.
    pub fn artifacts(&self) -> Result<Vec<(Digest, StoredArtifact)>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(ARTIFACTS)?.iter()? {
                let (digest, artifact) = row?;
                let digest = digest.value().try_into().map_err(|_| StoreError::Damaged {
                    what: "artifact",
                    why: format!("a key of {} bytes", digest.value().len()),
                })?;
                found.push((Digest(digest), codec::decode(artifact.value())?));
            }
            Ok(found)
        })
    }
}

impl WriteTxn {
    /// One more entry of a manifest names the file, which is in its place already.
    pub fn use_artifact(&self, file: &ArtifactFile) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(ARTIFACTS)?;
        let uses = get(&table, &file.sha256)?.map_or(0, |artifact| artifact.uses) + 1;
        let row = codec::encode(&StoredArtifact { size: file.size, uses })?;
        table.insert(file.sha256.0.as_slice(), row.as_slice())?;
        Ok(())
    }

    /// An entry of a manifest no longer names the file.
    pub fn release_artifact(&self, digest: &Digest) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(ARTIFACTS)?;
        if let Some(artifact) = get(&table, digest)? {
            let row = codec::encode(&StoredArtifact { uses: artifact.uses.saturating_sub(1), ..artifact })?;
            table.insert(digest.0.as_slice(), row.as_slice())?;
        }
        Ok(())
    }

    /// The file is gone; unless it is used by now, its row goes as well.
    pub fn forget_artifact(&self, digest: &Digest) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(ARTIFACTS)?;
        if get(&table, digest)?.is_some_and(|artifact| artifact.uses == 0) {
            table.remove(digest.0.as_slice())?;
        }
        Ok(())
    }
}
