use super::codec::{self, records};
use super::schema::IMPORTANCES;
use super::{ReadTxn, StoreError, WriteTxn};
use crate::domain::model::{Importances, ModelId, VersionName};

records! { Importances = 1, "feature importances"; }

impl ReadTxn {
    /// How much each feature of a version counts, where its training said it.
    pub fn importances(&self, model: &ModelId, name: &VersionName) -> Result<Option<Importances>, StoreError> {
        let table = self.txn.open_table(IMPORTANCES)?;
        table.get((model.as_str(), name.as_str()))?.map(|row| codec::decode(row.value())).transpose()
    }
}

impl WriteTxn {
    /// Keeps how much each feature of a version counts: once, because a version is trained once.
    pub fn put_importances(
        &self,
        model: &ModelId,
        name: &VersionName,
        importances: &Importances,
    ) -> Result<(), StoreError> {
        let row = codec::encode(importances)?;
        self.txn.open_table(IMPORTANCES)?.insert((model.as_str(), name.as_str()), row.as_slice())?;
        Ok(())
    }

    /// Forgets them, with their version.
    pub fn remove_importances(&self, model: &ModelId, name: &VersionName) -> Result<(), StoreError> {
        self.txn.open_table(IMPORTANCES)?.remove((model.as_str(), name.as_str()))?;
        Ok(())
    }
}
