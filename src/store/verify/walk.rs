use std::collections::{BTreeMap, BTreeSet};

use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, Value};

use super::super::StoreError;
use super::super::codec::{self, Record};
use crate::domain::account::hex;
use crate::domain::backup::{Part, Report};

/// Faults of one kind in one table that are told one by one; the others are counted.
const TOLD: u64 = 10;

/// A key in a message, at most.
const KEY_CHARACTERS: usize = 96;

/// A walk through every table of a snapshot, with what it found so far.
pub(super) struct Walk<'a> {
    pub(super) txn: &'a ReadTransaction,
    pub(super) report: &'a mut Report,
    there: BTreeSet<String>,
    faults: BTreeMap<(Part, &'static str), u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(txn: &'a ReadTransaction, report: &'a mut Report, there: BTreeSet<String>) -> Self {
        Self { txn, report, there, faults: BTreeMap::new() }
    }

    /// The table, where the file has it: one of an older schema lacks those that came later.
    pub(super) fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
        use redb::TableHandle as _;
        if self.there.contains(table.name()) { Ok(Some(self.txn.open_table(table)?)) } else { Ok(None) }
    }

    /// Looks at every row of `table`. What `see` says of a row becomes a finding, and the walk goes on.
    pub(super) fn each<K: Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: TableDefinition<'static, K, V>,
        mut see: impl for<'r> FnMut(K::SelfType<'r>, V::SelfType<'r>) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let Some(table) = self.open(table)? else { return Ok(()) };
        let mut rows = 0;
        for row in table.iter()? {
            let (key, value) = row?;
            rows += 1;
            self.report.records += 1;
            if let Err(Fault { part, why }) = see(key.value(), value.value()) {
                self.fault(part, name, &shown::<K>(&key.value()), why);
            }
        }
        self.report.tables.insert(name.to_owned(), rows);
        Ok(())
    }

    /// Tells a fault in a row of the table `name`.
    pub(super) fn fault(&mut self, part: Part, name: &'static str, key: &str, why: impl Into<String>) {
        let count = self.faults.entry((part, name)).or_default();
        *count += 1;
        if *count <= TOLD {
            let key: String = key.chars().take(KEY_CHARACTERS).collect();
            self.report.add(part, format!("{name} {key}"), why);
        }
    }

    /// Tells a fault that was found in a row of the table `name`.
    pub(super) fn tell(&mut self, Fault { part, why }: Fault, name: &'static str, key: &str) {
        self.fault(part, name, key, why);
    }

    /// Says how many faults were not told one by one.
    pub(super) fn finish(self) {
        for ((part, name), count) in self.faults {
            if let Some(more @ 1..) = count.checked_sub(TOLD) {
                self.report.add(part, name, format!("{more} more rows like these"));
            }
        }
    }
}

/// A key as a person reads it: digests in hexadecimal.
fn shown<K: Key>(key: &K::SelfType<'_>) -> String {
    if K::type_name() == <&[u8]>::type_name() {
        return hex(K::as_bytes(key).as_ref());
    }
    format!("{key:?}")
}

/// What is wrong with a row.
pub(super) struct Fault {
    pub(super) part: Part,
    why: String,
}

impl Fault {
    /// The row itself.
    pub(super) fn record(why: impl ToString) -> Self {
        Self { part: Part::Records, why: why.to_string() }
    }

    /// What it says of others.
    pub(super) fn reference(why: impl Into<String>) -> Self {
        Self { part: Part::References, why: why.into() }
    }
}

/// The record of a row.
pub(super) fn decode<R: Record>(row: &[u8]) -> Result<R, Fault> {
    codec::decode(row).map_err(|error| Fault::record(plain(error)))
}

/// The error without its advice, which the report gives once.
pub(super) fn plain(error: StoreError) -> String {
    match error {
        StoreError::Damaged { what, why } => format!("{what}: {why}"),
        StoreError::Panicked(why) => why,
        error => error.to_string(),
    }
}

/// A fault of the row itself, unless `holds`.
pub(super) fn must(holds: bool, why: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::record(why)) }
}

/// A fault of what the row says of others, unless `holds`.
pub(super) fn refers(holds: bool, why: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::reference(why())) }
}
