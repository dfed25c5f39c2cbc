//! Damage for tests: a row of a table says something else than what was written.

use std::path::Path;

use redb::{Database, Key, ReadableTable as _, TableDefinition, Value, WriteTransaction};

use super::super::StoreError;
use super::super::schema::TABLES;

/// A value that can be made another one.
pub(crate) trait Spoil: Value {
    /// The bytes of another value; none where there is no other.
    fn spoiled(bytes: Vec<u8>) -> Option<Vec<u8>>;
}

impl Spoil for &'static [u8] {
    fn spoiled(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        bytes.pop();
        Some(bytes)
    }
}

impl Spoil for &'static str {
    fn spoiled(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        bytes.push(b'x');
        Some(bytes)
    }
}

impl Spoil for u64 {
    fn spoiled(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        bytes[0] ^= 1;
        Some(bytes)
    }
}

impl Spoil for bool {
    fn spoiled(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        bytes[0] ^= 1;
        Some(bytes)
    }
}

impl Spoil for () {
    fn spoiled(_: Vec<u8>) -> Option<Vec<u8>> {
        None
    }
}

pub(crate) fn first<K: Key + 'static, V: Spoil + 'static>(
    txn: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<bool, StoreError> {
    let mut table = txn.open_table(table)?;
    let Some((key, value)) = table.first()?.map(|(key, value)| {
        let value = value.value();
        (K::as_bytes(&key.value()).as_ref().to_vec(), V::as_bytes(&value).as_ref().to_vec())
    }) else {
        return Ok(false);
    };
    let Some(value) = V::spoiled(value) else { return Ok(false) };
    table.insert(K::from_bytes(&key), V::from_bytes(&value))?;
    Ok(true)
}

/// Spoils the first row of each table of the closed file at `path` that can be spoiled, one after the other, and calls
/// `with` on the file with the table's name; the tables that had none.
pub(crate) fn spoil(path: &Path, mut with: impl FnMut(&'static str, &Path)) -> Vec<&'static str> {
    let mut passed = Vec::new();
    let copy = path.with_extension("spoiled");
    for table in TABLES {
        std::fs::copy(path, &copy).expect("a copy");
        let database = Database::open(&copy).expect("a file");
        let txn = database.begin_write().expect("a transaction");
        let spoiled = (table.spoil)(&txn).expect("a row");
        txn.commit().expect("a commit");
        drop(database);
        if spoiled { with(table.name, &copy) } else { passed.push(table.name) }
    }
    passed
}
