use super::codec::{self, records};
use super::schema::FOLLOWERS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::id::EventId;

/// How far a follower has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FollowerPosition {
    /// The newest event that it has sent for certain.
    pub event: EventId,
    /// The newest outbox message that it has sent for certain.
    pub outbox: u64,
    /// What else it must remember, in its own words.
    pub note: String,
}

records! { FollowerPosition = 1, "follower position"; }

impl Store {
    /// Where the follower `name` stands.
    pub fn follower(&self, name: &str) -> Result<FollowerPosition, StoreError> {
        self.read(|ReadTxn { txn }| {
            Ok(match txn.open_table(FOLLOWERS)?.get(name)? {
                Some(row) => codec::decode(row.value())?,
                None => FollowerPosition::default(),
            })
        })
    }
}

impl WriteTxn {
    /// Remembers where the follower `name` stands.
    pub fn put_follower(&self, name: &str, position: &FollowerPosition) -> Result<(), StoreError> {
        self.txn.open_table(FOLLOWERS)?.insert(name, codec::encode(position)?.as_slice())?;
        Ok(())
    }
}
