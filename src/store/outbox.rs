use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::codec::{self, records};
use super::schema::OUTBOX;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::bus;
use crate::domain::time::Micros;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum OutboxKind {
    /// The intents' stream; the payload is an intent as of then, encoded as JSON without the `consumer`.
    Intent,
    /// The event bus, and webhooks: the payload is a [`crate::domain::bus::BusEvent`] as JSON.
    Bus,
}

/// Something that followers send on, committed with what it tells of.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct OutboxMessage {
    /// Its place: 1, 2, 3, ….
    pub seq: u64,
    /// Where it goes.
    pub kind: OutboxKind,
    /// When it was committed.
    pub at: Micros,
    /// What it says, as JSON.
    pub payload: String,
}

records! { OutboxMessage = 1, "outbox message"; }

impl OutboxMessage {
    /// What its receivers know a repeat by.
    pub fn id(&self) -> String {
        bus::message_id(self.seq, self.at, &self.payload)
    }
}

pub(super) fn last(txn: &WriteTransaction) -> Result<u64, StoreError> {
    last_of(&txn.open_table(OUTBOX)?)
}

pub(super) fn last_read(txn: &ReadTransaction) -> Result<u64, StoreError> {
    last_of(&txn.open_table(OUTBOX)?)
}

/// The newest message is never trimmed, so its key is the sequence's memory.
fn last_of(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, StoreError> {
    Ok(table.last()?.map_or(0, |(seq, _)| seq.value()))
}

impl Store {
    /// The messages after `seq`, in order.
    pub fn outbox_after(&self, seq: u64, limit: usize) -> Result<Vec<OutboxMessage>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut messages = Vec::new();
            for row in txn.open_table(OUTBOX)?.range(seq.saturating_add(1)..)?.take(limit) {
                messages.push(codec::decode(row?.1.value())?);
            }
            Ok(messages)
        })
    }

    /// How many of the messages after `seq` are `wanted`.
    pub fn outbox_waiting(&self, seq: u64, wanted: impl Fn(&OutboxMessage) -> bool) -> Result<u64, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut waiting = 0;
            for row in txn.open_table(OUTBOX)?.range(seq.saturating_add(1)..)? {
                waiting += u64::from(wanted(&codec::decode(row?.1.value())?));
            }
            Ok(waiting)
        })
    }

    /// The message `seq`, if it is kept.
    pub fn outbox_message(&self, seq: u64) -> Result<Option<OutboxMessage>, StoreError> {
        self.read(|ReadTxn { txn }| txn.open_table(OUTBOX)?.get(seq)?.map(|row| codec::decode(row.value())).transpose())
    }
}

impl WriteTxn {
    /// The newest message's sequence.
    pub fn last_put_out(&self) -> u64 {
        self.outbox.get()
    }

    /// Puts a message out; its sequence.
    pub fn put_out(&self, kind: OutboxKind, at: Micros, payload: String) -> Result<u64, StoreError> {
        let seq = self.outbox.get() + 1;
        let row = codec::encode(&OutboxMessage { seq, kind, at, payload })?;
        self.txn.open_table(OUTBOX)?.insert(seq, row.as_slice())?;
        self.outbox.set(seq);
        Ok(seq)
    }
}
