use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::SCHEDULE;
use super::{ReadTxn, StoreError, WriteTxn};
use crate::domain::model::ModelId;
use crate::domain::schedule::{Books, Standing};

/// The key of what the scheduler knows over all models: no model's id.
const BOOKS: &str = "";

records! {
    Books = 1, "books of the scheduler";
    Standing = 1, "standing in the schedule";
}

fn books(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Books, StoreError> {
    table.get(BOOKS)?.map_or_else(|| Ok(Books::default()), |row| codec::decode(row.value()))
}

fn standing(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    model: &ModelId,
) -> Result<Option<Standing>, StoreError> {
    table.get(model.as_str())?.map(|row| codec::decode(row.value())).transpose()
}

impl ReadTxn {
    /// What the scheduler knows over all models.
    pub fn books(&self) -> Result<Books, StoreError> {
        books(&self.txn.open_table(SCHEDULE)?)
    }

    /// Where the scheduler stands with a model; none before its first look.
    pub fn standing(&self, model: &ModelId) -> Result<Option<Standing>, StoreError> {
        standing(&self.txn.open_table(SCHEDULE)?, model)
    }
}

impl WriteTxn {
    /// What the scheduler knows over all models, as this transaction sees it.
    pub fn books(&self) -> Result<Books, StoreError> {
        books(&self.txn.open_table(SCHEDULE)?)
    }

    /// Stores what the scheduler knows over all models.
    pub fn put_books(&self, books: &Books) -> Result<(), StoreError> {
        self.txn.open_table(SCHEDULE)?.insert(BOOKS, codec::encode(books)?.as_slice())?;
        Ok(())
    }

    /// Where the scheduler stands with a model, as this transaction sees it.
    pub fn standing(&self, model: &ModelId) -> Result<Option<Standing>, StoreError> {
        standing(&self.txn.open_table(SCHEDULE)?, model)
    }

    /// Stores where the scheduler stands with a model.
    pub fn put_standing(&self, model: &ModelId, standing: &Standing) -> Result<(), StoreError> {
        self.txn.open_table(SCHEDULE)?.insert(model.as_str(), codec::encode(standing)?.as_slice())?;
        Ok(())
    }
}
