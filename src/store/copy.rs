//! A copy of the whole file, table by table, from one snapshot: a file copied while it is written cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use redb::{Database, ReadableDatabase, TableHandle};

use super::schema::TABLES;
use super::{CACHE_BYTES, Store, StoreError};

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, u64>,
}

impl Store {
    /// Copies the whole file to `target`, which is replaced only once the copy is complete and on the disk.
    pub fn copy_to(&self, target: &Path) -> Result<CopyReport, StoreError> {
        self.read(|snapshot| copy_snapshot(&snapshot.txn, target))
    }
}

/// The same for a file that is not a [`Store`] yet.
pub(crate) fn copy_file(database: &Database, target: &Path) -> Result<CopyReport, StoreError> {
    super::guard::catch(|| copy_snapshot(&database.begin_read()?, target))
}

fn copy_snapshot(snapshot: &redb::ReadTransaction, target: &Path) -> Result<CopyReport, StoreError> {
    let mut there = BTreeSet::new();
    for table in snapshot.list_tables()? {
        if !TABLES.iter().any(|known| known.name == table.name()) {
            return Err(StoreError::Damaged {
                what: "table",
                why: format!("{:?} is not in the registry", table.name()),
            });
        }
        there.insert(table.name().to_owned());
    }
    let partial = target.with_extension("partial");
    let io = |error: std::io::Error| StoreError::from(redb::StorageError::Io(error));
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut report = CopyReport::default();
    {
        super::open::create_private(&partial).map_err(io)?;
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(&partial)?;
        let txn = database.begin_write()?;
        // A file of an older schema has not all of them yet, and its copy must stay one of that schema.
        for table in TABLES.iter().filter(|table| there.contains(table.name)) {
            report.rows.insert(table.name, (table.copy)(snapshot, &txn)?);
        }
        txn.commit()?;
    }
    std::fs::rename(&partial, target).map_err(io)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(report)
}
