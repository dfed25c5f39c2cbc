use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::{MODEL_HISTORY, PRODUCTION};
use super::{ReadTxn, StoreError, WriteTxn};
use crate::domain::model::{HistoryEntry, ModelId, VersionName};
use crate::domain::time::Micros;

records! { HistoryEntry = 1, "history entry"; }

/// What was in production from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reign {
    /// From here, until the next one began.
    pub since: Micros,
    /// The number of the entry that began it.
    pub revision: u64,
    /// What.
    pub version: VersionName,
}

impl ReadTxn {
    /// Entries of a model below `before`, the newest first.
    pub fn model_history(&self, model: &ModelId, before: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let table = self.txn.open_table(MODEL_HISTORY)?;
        entries(table.range((model.as_str(), 0)..(model.as_str(), before))?.rev().take(limit))
    }

    /// What was in production at `at`.
    pub fn production_at(&self, model: &ModelId, at: Micros) -> Result<Option<Reign>, StoreError> {
        let table = self.txn.open_table(PRODUCTION)?;
        let id = model.as_str();
        let row = table.range((id, 0, 0)..=(id, at.0, u64::MAX))?.next_back().transpose()?;
        row.filter(|(_, value)| value.value() != NOTHING)
            .map(|(key, value)| reign(key.value(), value.value()))
            .transpose()
    }

    /// What was in production, the newest first.
    pub fn reigns(&self, model: &ModelId, limit: usize) -> Result<Vec<Reign>, StoreError> {
        let table = self.txn.open_table(PRODUCTION)?;
        let id = model.as_str();
        let mut reigns = Vec::new();
        for row in table.range((id, 0, 0)..=(id, u64::MAX, u64::MAX))?.rev() {
            let (key, value) = row?;
            if reigns.len() >= limit {
                break;
            }
            if value.value() != NOTHING {
                reigns.push(reign(key.value(), value.value())?);
            }
        }
        Ok(reigns)
    }
}

/// Stands for a version where nothing was in production any more. Only the imported past knows that.
pub(super) const NOTHING: &str = "";

fn reign((_, since, revision): (&str, u64, u64), version: &str) -> Result<Reign, StoreError> {
    let damaged =
        |error: crate::domain::model::BadName| StoreError::Damaged { what: "production", why: error.to_string() };
    Ok(Reign { since: Micros(since), revision, version: version.parse().map_err(damaged)? })
}

type Row<'a> =
    Result<(redb::AccessGuard<'a, (&'static str, u64)>, redb::AccessGuard<'a, &'static [u8]>), redb::StorageError>;

fn entries<'a>(rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<HistoryEntry>, StoreError> {
    rows.map(|row| codec::decode(row?.1.value())).collect()
}

impl WriteTxn {
    /// Stores an entry; `began` says that it put its version into production.
    pub fn put_history(&self, entry: &HistoryEntry, began: bool) -> Result<(), StoreError> {
        let id = entry.model.as_str();
        self.txn.open_table(MODEL_HISTORY)?.insert((id, entry.revision), codec::encode(entry)?.as_slice())?;
        if began {
            self.txn.open_table(PRODUCTION)?.insert((id, entry.at.0, entry.revision), entry.version.as_str())?;
        }
        Ok(())
    }

    /// Stores an entry after which nothing is in production any more.
    pub fn put_history_of_an_end(&self, entry: &HistoryEntry) -> Result<(), StoreError> {
        self.put_history(entry, false)?;
        let key = (entry.model.as_str(), entry.at.0, entry.revision);
        self.txn.open_table(PRODUCTION)?.insert(key, NOTHING)?;
        Ok(())
    }

    /// The newest entries of a model after `revision`, the newest first.
    pub fn history_after(&self, model: &ModelId, revision: u64, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let table = self.txn.open_table(MODEL_HISTORY)?;
        let from = (model.as_str(), revision.saturating_add(1));
        entries(table.range(from..=(model.as_str(), u64::MAX))?.rev().take(limit))
    }

    /// The entry that put into production what is there now.
    pub fn last_deployment(&self, model: &ModelId) -> Result<Option<HistoryEntry>, StoreError> {
        let id = model.as_str();
        let table = self.txn.open_table(PRODUCTION)?;
        let Some(row) = table.range((id, 0, 0)..=(id, u64::MAX, u64::MAX))?.next_back() else { return Ok(None) };
        let (key, value) = row?;
        if value.value() == NOTHING {
            return Ok(None);
        }
        let (_, _, revision) = key.value();
        let table = self.txn.open_table(MODEL_HISTORY)?;
        table.get((id, revision))?.map(|row| codec::decode(row.value())).transpose()
    }
}
