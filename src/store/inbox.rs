//! Which messages of the bus were taken in, so that one that comes again does nothing again.
//!
//! Redis hands a message over until it is acknowledged, and a death between the commit here and the acknowledgement there
//! makes it come again. Its row commits with what followed from it, so the second time it is known.

use redb::ReadableTable as _;

use super::codec::{self, records};
use super::schema::INBOX;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::bus_in::{EntryId, InboxRow, Topic};
use crate::domain::time::Micros;

/// How long a message is known: far longer than one stays unacknowledged while we run.
const DAYS: u64 = 30;

/// Rows that one transaction removes, so that it stays short.
const MAX_ROWS: usize = 20_000;

records! { InboxRow = 1, "message of the bus"; }

impl Store {
    /// The newest message of a type that was taken in, of those that are known.
    pub fn newest_inbox(&self, topic: Topic) -> Result<Option<EntryId>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let topic = topic.as_str();
            let table = txn.open_table(INBOX)?;
            let newest = table.range((topic, 0, 0)..=(topic, u64::MAX, u64::MAX))?.next_back().transpose()?;
            Ok(newest.map(|(key, _)| {
                let (_, ms, seq) = key.value();
                EntryId { ms, seq }
            }))
        })
    }
}

impl WriteTxn {
    /// What is known of a message; `None` where it never came, or what it was then said something else.
    pub fn inbox(&self, topic: Topic, entry: EntryId, digest: [u8; 16]) -> Result<Option<InboxRow>, StoreError> {
        let table = self.txn.open_table(INBOX)?;
        let row: Option<InboxRow> =
            table.get((topic.as_str(), entry.ms, entry.seq))?.map(|row| codec::decode(row.value())).transpose()?;
        Ok(row.filter(|row| row.digest == digest))
    }

    /// Remembers a message, in the transaction of what followed from it.
    pub fn put_inbox(&self, topic: Topic, entry: EntryId, row: &InboxRow) -> Result<(), StoreError> {
        let row = codec::encode(row)?;
        self.txn.open_table(INBOX)?.insert((topic.as_str(), entry.ms, entry.seq), row.as_slice())?;
        Ok(())
    }

    /// Forgets the messages of long ago. Rows lie in the order of the streams, which is that of time, so each stream is
    /// looked at up to the first row that stays.
    pub(super) fn trim_inbox(&self, now: Micros) -> Result<(), StoreError> {
        let before = now.minus(DAYS * Micros::DAY);
        let mut table = self.txn.open_table(INBOX)?;
        let mut old = Vec::new();
        for topic in Topic::ALL.map(Topic::as_str) {
            for row in table.range((topic, 0, 0)..=(topic, u64::MAX, u64::MAX))? {
                let (key, row) = row?;
                let row: InboxRow = codec::decode(row.value())?;
                if row.at >= before || old.len() >= MAX_ROWS {
                    break;
                }
                let (_, ms, seq) = key.value();
                old.push((topic, ms, seq));
            }
        }
        for key in old {
            table.remove(key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bus_in::{Fields, InboxState};
    use crate::store::{Retention, Store};

    #[test]
    fn a_message_is_known_for_thirty_days_by_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("d.redb")).unwrap();
        let now = Micros(20_000 * Micros::DAY);
        let (one, other) = (Fields::of([("payload", "{}")]).digest(), Fields::of([("payload", "[]")]).digest());
        let ids = [EntryId { ms: 5, seq: 0 }, EntryId { ms: 5, seq: 1 }];
        let row = |at| InboxRow { at, digest: one, state: InboxState::Taken };
        let put = |topic, id, at| store.write::<_, StoreError>(|txn| txn.put_inbox(topic, id, &row(at))).unwrap();
        put(Topic::DriftDetected, ids[0], now);
        put(Topic::TradeClosed, ids[0], now);
        put(Topic::TradeClosed, ids[1], now.plus(Micros::DAY));
        let known = |topic, id, digest| store.write::<_, StoreError>(|txn| txn.inbox(topic, id, digest)).unwrap();
        assert_eq!(known(Topic::DriftDetected, ids[0], one), Some(row(now)));
        assert_eq!(known(Topic::DriftDetected, ids[0], other), None, "the id was given a second time");
        assert_eq!(known(Topic::RegimeChanged, ids[0], one), None);
        assert_eq!(store.newest_inbox(Topic::TradeClosed).unwrap(), Some(ids[1]));
        assert_eq!(store.newest_inbox(Topic::RegimeChanged).unwrap(), None);
        let retention = Retention { days: 30, bytes: 1 << 30 };
        store.trim(retention, now.plus(30 * Micros::DAY)).unwrap();
        assert!(known(Topic::TradeClosed, ids[0], one).is_some());
        store.trim(retention, now.plus(30 * Micros::DAY + 1)).unwrap();
        assert_eq!(known(Topic::TradeClosed, ids[0], one), None);
        assert_eq!(known(Topic::DriftDetected, ids[0], one), None);
        assert!(known(Topic::TradeClosed, ids[1], one).is_some());
    }
}
