use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::{META, MODELS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::model::{EvaluationId, Model, ModelId};

/// The number given last, over all models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(super) struct Numbers {
    pub(super) evaluation: u64,
}

/// The row of [`META`] that holds it.
pub(super) const NUMBERS: &str = "registry numbers";

records! {
    Model = 1, "model";
    Numbers = 1, "registry numbers";
}

impl Store {
    /// One model.
    pub fn model(&self, id: &ModelId) -> Result<Option<Model>, StoreError> {
        self.read(|txn| txn.model(id))
    }

    /// Every model, by id.
    pub fn models(&self) -> Result<Vec<Model>, StoreError> {
        self.read(ReadTxn::models)
    }
}

impl ReadTxn {
    /// One model.
    pub fn model(&self, id: &ModelId) -> Result<Option<Model>, StoreError> {
        get(&self.txn.open_table(MODELS)?, id)
    }

    /// Every model, by id.
    pub fn models(&self) -> Result<Vec<Model>, StoreError> {
        let mut models = Vec::new();
        for row in self.txn.open_table(MODELS)?.iter()? {
            models.push(codec::decode(row?.1.value())?);
        }
        Ok(models)
    }
}

fn get(table: &impl ReadableTable<&'static str, &'static [u8]>, id: &ModelId) -> Result<Option<Model>, StoreError> {
    table.get(id.as_str())?.map(|row| codec::decode(row.value())).transpose()
}

impl WriteTxn {
    /// One model, as this transaction sees it.
    pub fn model(&self, id: &ModelId) -> Result<Option<Model>, StoreError> {
        get(&self.txn.open_table(MODELS)?, id)
    }

    /// Stores a model as it now is.
    pub fn put_model(&self, model: &Model) -> Result<(), StoreError> {
        self.txn.open_table(MODELS)?.insert(model.id.as_str(), codec::encode(model)?.as_slice())?;
        Ok(())
    }

    /// The newest evaluation's number.
    pub fn last_evaluation_id(&self) -> Result<EvaluationId, StoreError> {
        Ok(EvaluationId(self.numbers(|_| ())?.evaluation))
    }

    /// The number of the next evaluation, given once.
    pub fn new_evaluation(&self) -> Result<EvaluationId, StoreError> {
        Ok(EvaluationId(self.numbers(|numbers| numbers.evaluation += 1)?.evaluation))
    }

    fn numbers(&self, change: impl FnOnce(&mut Numbers)) -> Result<Numbers, StoreError> {
        let mut meta = self.txn.open_table(META)?;
        let had: Numbers = match meta.get(NUMBERS)? {
            Some(row) => codec::decode(row.value())?,
            None => Numbers::default(),
        };
        let mut numbers = had;
        change(&mut numbers);
        if numbers != had {
            meta.insert(NUMBERS, codec::encode(&numbers)?.as_slice())?;
        }
        Ok(numbers)
    }
}
