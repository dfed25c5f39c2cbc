use redb::ReadableTable;

use super::schema::RULES;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::rules::{BadState, RuleSet, StateChange};

/// Rows of a rule that cannot be taken back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule.
    #[error(transparent)]
    Rule(#[from] BadState),
}

impl Store {
    /// Gives the rules their stored rows back.
    pub fn restore_rules(&self, rules: &mut RuleSet) -> Result<(), RestoreError> {
        let rows = self.read(|ReadTxn { txn }| {
            let mut rows = Vec::new();
            for row in txn.open_table(RULES)?.iter()? {
                let (key, value) = row?;
                let (rule, key) = key.value();
                rows.push((rule.to_owned(), key.to_owned(), value.value().to_vec()));
            }
            Ok(rows)
        })?;
        for (rule, key, value) in rows {
            rules.restore(&rule, &key, &value)?;
        }
        Ok(())
    }
}

impl WriteTxn {
    /// Stores the rows that changed.
    pub fn put_rule_rows(&self, changes: &[StateChange]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut table = self.txn.open_table(RULES)?;
        for change in changes {
            let key = (change.rule, change.key.as_str());
            match &change.value {
                Some(value) => table.insert(key, value.as_slice())?,
                None => table.remove(key)?,
            };
        }
        Ok(())
    }
}
