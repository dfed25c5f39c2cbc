use std::collections::BTreeMap;

use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::bus_in::{Message, Trade};
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// Why nothing follows from a message now.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// In words; the message is tried again, and given up in the end.
    #[error("{0}")]
    Because(String),
    /// The data file, which is not the message's fault: it waits until that works.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What follows from messages.
pub trait Effects: Send + Sync {
    /// What a message asks for, within the transaction that takes it in; what followed, in words. What it wrote is undone
    /// where it refuses.
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<String, Refusal>;

    /// Counts closed trades, within the transaction that takes them in.
    fn count_trades(&self, txn: &WriteTxn, trades: &BTreeMap<Trade, u64>, now: Micros) -> Result<(), StoreError>;
}

/// Messages are noted in the audit log, and nothing else follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted;

impl Effects for Noted {
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<String, Refusal> {
        let actor = Actor { name: "bus".to_owned(), address: String::new() };
        txn.audit(AuditEntry::done(now, &actor, "bus.message", message.subject(), message.told()))?;
        Ok(message.told())
    }

    fn count_trades(&self, _: &WriteTxn, _: &BTreeMap<Trade, u64>, _: Micros) -> Result<(), StoreError> {
        Ok(())
    }
}
