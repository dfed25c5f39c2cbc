use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::AUDIT;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::time::Micros;

/// Who changed what, when and why. Written in the transaction of the change itself.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode, serde::Serialize, serde::Deserialize)]
pub struct AuditRecord {
    /// When.
    pub at: Micros,
    /// Who: a user's name.
    pub by: String,
    /// What was done: `intent.acknowledge`, ….
    pub action: String,
    /// To what: `intent 7`, ….
    pub subject: String,
    /// Why, in the actor's words.
    pub why: String,
}

records! { AuditRecord = 1, "audit record"; }

impl Store {
    /// The newest records, newest first.
    pub fn audit(&self, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut records = Vec::new();
            for row in txn.open_table(AUDIT)?.iter()?.rev().take(limit) {
                records.push(codec::decode(row?.1.value())?);
            }
            Ok(records)
        })
    }
}

impl WriteTxn {
    /// Appends a record.
    pub fn audit(&self, record: &AuditRecord) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(AUDIT)?;
        let next = table.last()?.map_or(1, |(seq, _)| seq.value() + 1);
        table.insert(next, codec::encode(record)?.as_slice())?;
        Ok(())
    }
}
