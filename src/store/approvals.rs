use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::APPROVALS;
use super::{ReadTxn, StoreError, WriteTxn};
use crate::domain::model::{ModelId, VersionName};
use crate::domain::time::Micros;

/// A promotion that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Approval {
    /// The model.
    pub model: ModelId,
    /// The version that is to go into production.
    pub version: VersionName,
    /// What was in production when it was asked for: it is replaced, or nothing is.
    pub replaces: Option<VersionName>,
    /// Who asked.
    pub asked_by: String,
    /// The person behind that: of a token, who made it.
    pub person: String,
    /// When.
    pub asked_at: Micros,
    /// It cannot be approved from then on.
    pub expires_at: Micros,
    /// Why, in their words.
    pub why: String,
    /// Whether it goes past the gates.
    pub force: bool,
}

records! { Approval = 1, "approval"; }

impl ReadTxn {
    /// What waits for a second person: of one model, or of all; what has expired too.
    pub fn approvals(&self, model: Option<&ModelId>) -> Result<Vec<Approval>, StoreError> {
        all(&self.txn.open_table(APPROVALS)?, model)
    }
}

fn all(
    table: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    model: Option<&ModelId>,
) -> Result<Vec<Approval>, StoreError> {
    let mut approvals = Vec::new();
    for row in table.range((model.map_or("", ModelId::as_str), "")..)? {
        let (key, value) = row?;
        if model.is_some_and(|model| model.as_str() != key.value().0) {
            break;
        }
        approvals.push(codec::decode(value.value())?);
    }
    Ok(approvals)
}

impl WriteTxn {
    /// What waits for a second person in a model, what has expired too.
    pub fn approvals_of(&self, model: &ModelId) -> Result<Vec<Approval>, StoreError> {
        all(&self.txn.open_table(APPROVALS)?, Some(model))
    }

    /// Stores an approval that is asked for.
    pub fn put_approval(&self, approval: &Approval) -> Result<(), StoreError> {
        let key = (approval.model.as_str(), approval.version.as_str());
        self.txn.open_table(APPROVALS)?.insert(key, codec::encode(approval)?.as_slice())?;
        Ok(())
    }

    /// Removes what is answered, or void.
    pub fn remove_approval(&self, model: &ModelId, version: &VersionName) -> Result<(), StoreError> {
        self.txn.open_table(APPROVALS)?.remove((model.as_str(), version.as_str()))?;
        Ok(())
    }
}
