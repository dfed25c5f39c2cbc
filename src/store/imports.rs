use redb::ReadableTable as _;

use super::codec::{self, records};
use super::schema::IMPORTS;
use super::{StoreError, WriteTxn};
use crate::domain::model::{Digest, ModelId};
use crate::domain::time::Micros;

/// A file of another registry that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct ImportedFile {
    /// When.
    pub at: Micros,
    /// What it held.
    pub sha256: Digest,
}

records! { ImportedFile = 1, "imported file"; }

impl WriteTxn {
    /// What was taken of the file at `path`, below the other registry's directory.
    pub fn imported(&self, model: &ModelId, path: &str) -> Result<Option<ImportedFile>, StoreError> {
        let table = self.txn.open_table(IMPORTS)?;
        table.get((model.as_str(), path))?.map(|row| codec::decode(row.value())).transpose()
    }

    /// Remembers that the file was taken.
    pub fn put_imported(&self, model: &ModelId, path: &str, file: &ImportedFile) -> Result<(), StoreError> {
        self.txn.open_table(IMPORTS)?.insert((model.as_str(), path), codec::encode(file)?.as_slice())?;
        Ok(())
    }
}
