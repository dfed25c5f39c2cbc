use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::IDEMPOTENCY;
use super::{StoreError, WriteTxn};
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Carried {
    /// When.
    pub at: Micros,
    /// What was asked, so that a key used again for something else is refused.
    pub request: String,
    /// The answer that was given.
    pub answer: String,
}

records! { Carried = 1, "idempotency key"; }

impl WriteTxn {
    /// What was answered to the request of this key, if it was carried out.
    pub fn carried(&self, key: &RequestKey) -> Result<Option<Carried>, StoreError> {
        self.txn.open_table(IDEMPOTENCY)?.get(key.as_str())?.map(|row| codec::decode(row.value())).transpose()
    }

    /// Remembers the answer, in the transaction of the change.
    pub fn carry(&self, key: &RequestKey, carried: &Carried) -> Result<(), StoreError> {
        self.txn.open_table(IDEMPOTENCY)?.insert(key.as_str(), codec::encode(carried)?.as_slice())?;
        Ok(())
    }
}
