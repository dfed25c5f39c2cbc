use redb::ReadableTable as _;

use super::codec::{self, records};
use super::follower::FollowerPosition;
use super::schema::{DELIVERIES, FOLLOWERS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::webhook::Delivery;

/// Lines that a webhook's log keeps: the newest.
const KEPT: u64 = 1_000;

/// What the names of followers begin with that are webhooks.
const PREFIX: &str = "webhook:";

records! { Delivery = 1, "delivery"; }

/// The follower of the webhook `name`.
pub fn webhook_follower(name: &str) -> String {
    format!("{PREFIX}{name}")
}

impl Store {
    /// Lines of a webhook's log with numbers below `before`, newest first.
    pub fn deliveries(&self, name: &str, before: u64, limit: usize) -> Result<Vec<(u64, Delivery)>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(DELIVERIES)?.range((name, 0)..(name, before))?.rev().take(limit) {
                let (key, row) = row?;
                found.push((key.value().1, codec::decode(row.value())?));
            }
            Ok(found)
        })
    }

    /// One line of a webhook's log.
    pub fn delivery(&self, name: &str, number: u64) -> Result<Option<Delivery>, StoreError> {
        self.read(|ReadTxn { txn }| {
            txn.open_table(DELIVERIES)?.get((name, number))?.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// The position of a webhook; `None` where it has none yet.
    pub fn webhook(&self, name: &str) -> Result<Option<FollowerPosition>, StoreError> {
        let follower = webhook_follower(name);
        self.read(|ReadTxn { txn }| {
            txn.open_table(FOLLOWERS)?.get(follower.as_str())?.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// The names of all webhooks that have a position, also of those that are configured no more.
    pub fn webhooks(&self) -> Result<Vec<String>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut names = Vec::new();
            for row in txn.open_table(FOLLOWERS)?.range(PREFIX..)? {
                match row?.0.value().strip_prefix(PREFIX) {
                    Some(name) => names.push(name.to_owned()),
                    None => break,
                }
            }
            Ok(names)
        })
    }
}

impl WriteTxn {
    /// Appends a line to a webhook's log; its number. The oldest makes room.
    pub fn put_delivery(&self, name: &str, delivery: &Delivery) -> Result<u64, StoreError> {
        let mut table = self.txn.open_table(DELIVERIES)?;
        let last = table.range((name, 0)..=(name, u64::MAX))?.next_back().transpose()?.map(|(key, _)| key.value().1);
        let number = last.unwrap_or(0) + 1;
        table.insert((name, number), codec::encode(delivery)?.as_slice())?;
        table.retain_in((name, 0)..=(name, number.saturating_sub(KEPT)), |_, _| false)?;
        Ok(number)
    }

    /// Forgets a webhook: its position and its log.
    pub fn forget_webhook(&self, name: &str) -> Result<(), StoreError> {
        self.txn.open_table(FOLLOWERS)?.remove(webhook_follower(name).as_str())?;
        self.txn.open_table(DELIVERIES)?.retain_in((name, 0)..=(name, u64::MAX), |_, _| false)?;
        Ok(())
    }
}
