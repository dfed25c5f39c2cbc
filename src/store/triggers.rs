use redb::{ReadableTable, ReadableTableMetadata as _};

use super::codec;
use super::schema::TRIGGERS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::job::Trigger;
use crate::domain::model::ModelId;
use crate::domain::schedule::TriggerRecord;
use crate::domain::time::Micros;

/// Triggers that are decided.
const DAYS: u64 = 365;

/// The most rows, whatever their age: a sender that repeats itself every second must not fill the disk.
const MOST: u64 = 50_000;

impl Store {
    /// Triggers below `before`, newest first, of `model` and for `reason` (any where absent).
    pub fn triggers(
        &self,
        model: Option<&ModelId>,
        reason: Option<Trigger>,
        before: u64,
        limit: usize,
    ) -> Result<Vec<TriggerRecord>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(TRIGGERS)?.range(..before)?.rev() {
                let record: TriggerRecord = codec::decode(row?.1.value())?;
                let fits = model.is_none_or(|model| record.model.as_ref() == Some(model))
                    && reason.is_none_or(|reason| record.reason == reason);
                if fits {
                    found.push(record);
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
    }
}

impl WriteTxn {
    /// The number of the next trigger. The newest is never trimmed, so its number is the sequence's memory.
    pub fn next_trigger(&self) -> Result<u64, StoreError> {
        Ok(self.txn.open_table(TRIGGERS)?.last()?.map_or(1, |(number, _)| number.value() + 1))
    }

    /// Stores a trigger as it now is.
    pub fn put_trigger(&self, record: &TriggerRecord) -> Result<(), StoreError> {
        self.txn.open_table(TRIGGERS)?.insert(record.number, codec::encode(record)?.as_slice())?;
        Ok(())
    }

    /// Removes decided ones that are past their time or too many, the oldest first.
    pub(super) fn trim_triggers(&self, now: Micros) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(TRIGGERS)?;
        let last = table.last()?.map_or(0, |(number, _)| number.value());
        let mut over = table.len()?.saturating_sub(MOST);
        let before = now.minus(DAYS * Micros::DAY);
        let mut old = Vec::new();
        for row in table.range(..last)? {
            let record: TriggerRecord = codec::decode(row?.1.value())?;
            // Their order is that of recording, also where the clock was set back in between.
            if record.at >= before && over == 0 {
                break;
            }
            if !record.is_waiting() {
                over = over.saturating_sub(1);
                old.push(record.number);
            }
        }
        for number in old {
            table.remove(number)?;
        }
        Ok(())
    }
}
