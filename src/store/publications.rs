//! Which publications are stored already, so that one sent again is stored once.
//!
//! Rows lie by day and then by a digest of the key: those of a day go together when it is over, without a look at any
//! of them, and a commit's new ones touch few pages.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use sha2::{Digest, Sha256};

use super::codec::{self, records};
use super::schema::PUBLICATIONS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::feed::PublishedIds;
use crate::domain::id::EventId;
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;

/// Whole days that a key is kept for, besides the present one.
pub const KEY_DAYS: u64 = 2;

/// Beyond this many rows the days before the present one go early.
const MAX_ROWS: u64 = 2_000_000;

/// Half of a SHA-256: nobody finds two texts of the same.
pub type Fingerprint = [u8; 16];

/// The fingerprint of a request's body, or of a key.
pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut half = Fingerprint::default();
    half.copy_from_slice(&Sha256::digest(bytes)[..16]);
    half
}

/// What was stored under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Publication {
    /// Of what was sent.
    pub body: Fingerprint,
    /// The first event's id; the others follow it one by one.
    pub first: EventId,
    /// How many events.
    pub count: u32,
}

records! { Publication = 1, "publication"; }

impl Publication {
    /// The events' ids.
    pub fn ids(&self) -> PublishedIds {
        PublishedIds { first: self.first, count: self.count }
    }
}

fn day(at: Micros) -> u32 {
    u32::try_from(at.0 / Micros::DAY).unwrap_or(u32::MAX)
}

fn find(txn: &ReadTransaction, key: &RequestKey, now: Micros) -> Result<Option<Publication>, StoreError> {
    let table = txn.open_table(PUBLICATIONS)?;
    let digest = fingerprint(key.as_str().as_bytes());
    let today = day(now);
    // One day ahead as well: the clock may have stepped back over midnight.
    for day in (today.saturating_sub(KEY_DAYS as u32)..=today.saturating_add(1)).rev() {
        if let Some(row) = table.get((day, digest.as_slice()))? {
            return codec::decode(row.value()).map(Some);
        }
    }
    Ok(None)
}

impl Store {
    /// What is stored under `key`, if it was used in the last [`KEY_DAYS`] days.
    pub fn publication(&self, key: &RequestKey, now: Micros) -> Result<Option<Publication>, StoreError> {
        self.read(|ReadTxn { txn }| find(txn, key, now))
    }
}

impl WriteTxn {
    /// Remembers a publication, in the transaction of its events.
    pub fn put_publication(&self, key: &RequestKey, row: &Publication, now: Micros) -> Result<(), StoreError> {
        let digest = fingerprint(key.as_str().as_bytes());
        let mut table = self.txn.open_table(PUBLICATIONS)?;
        table.insert((day(now), digest.as_slice()), codec::encode(row)?.as_slice())?;
        Ok(())
    }

    pub(super) fn trim_publications(&self, now: Micros) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(PUBLICATIONS)?;
        let kept = if table.len()? > MAX_ROWS { 0 } else { KEY_DAYS };
        let oldest = day(now.minus(kept * Micros::DAY));
        // Nothing to remove is the usual case, and costs no page.
        if table.first()?.is_some_and(|(key, _)| key.value().0 < oldest) {
            table.retain_in(..(oldest, [].as_slice()), |_, _| false)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_for_two_days_and_belongs_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("d.redb")).unwrap();
        let key = RequestKey::new("token 1", "a").unwrap();
        let now = Micros(20_000 * Micros::DAY + 5);
        let row = Publication { body: fingerprint(b"x"), first: EventId::new(7, 3), count: 2 };
        store.write::<_, StoreError>(|txn| txn.put_publication(&key, &row, now)).unwrap();
        let find = |key: &RequestKey, at| store.publication(key, at).unwrap();
        for at in [now, now.minus(6), now.plus(2 * Micros::DAY)] {
            assert_eq!(find(&key, at), Some(row), "{at:?}");
        }
        assert_eq!(find(&RequestKey::new("token 2", "a").unwrap(), now), None);
        let trim = |at| store.write::<_, StoreError>(|txn| txn.trim_publications(at)).unwrap();
        trim(now.plus(2 * Micros::DAY));
        assert_eq!(find(&key, now), Some(row));
        trim(now.plus(3 * Micros::DAY));
        assert_eq!(find(&key, now), None);
        let ids: Vec<_> = row.ids().iter().map(|id| id.to_string()).collect();
        assert_eq!(ids, ["7-3", "7-4"]);
    }
}
