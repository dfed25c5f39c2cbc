//! A copy of the whole file, table by table, from one snapshot: a file copied while it is written cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;

use redb::{Database, ReadableDatabase, ReadableTable as _, TableHandle};

use super::artifacts::StoredArtifact;
use super::schema::{ARTIFACTS, GoOn, TABLES};
use super::{CACHE_BYTES, Store, StoreError, codec};
use crate::domain::backup::UsedArtifact;
use crate::domain::model::Digest;

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Models' files that versions use, as of the same snapshot.
    pub artifacts: Vec<UsedArtifact>,
}

impl Store {
    /// Copies the whole file to `target`, which is replaced only once the copy is complete and on the disk.
    pub fn copy_to(&self, target: &Path) -> Result<CopyReport, StoreError> {
        self.copy_while(target, &|| Ok(()))
    }

    /// The same as long as `go_on` lets it: a copy must not take the room that the feed needs. Nor does it go on where a
    /// failed commit has to open the file anew, which waits for every snapshot.
    pub fn copy_while(
        &self,
        target: &Path,
        go_on: &dyn Fn() -> Result<(), StoreError>,
    ) -> Result<CopyReport, StoreError> {
        let go_on = || match self.is_wanted.load(Ordering::Relaxed) {
            true => Err(StoreError::Closed("a write failed, and it is being opened anew".into())),
            false => go_on(),
        };
        self.read(|snapshot| copy_snapshot(&snapshot.txn, target, &go_on))
    }
}

/// The same for a file that is not a [`Store`] yet.
pub(crate) fn copy_file(database: &Database, target: &Path) -> Result<CopyReport, StoreError> {
    super::guard::catch(|| copy_snapshot(&database.begin_read()?, target, &|| Ok(())))
}

fn copy_snapshot(snapshot: &redb::ReadTransaction, target: &Path, go_on: &GoOn<'_>) -> Result<CopyReport, StoreError> {
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
            report.rows.insert(table.name, (table.copy)(snapshot, &txn, go_on)?);
        }
        txn.commit()?;
    }
    if there.contains(redb::TableHandle::name(&ARTIFACTS)) {
        for row in snapshot.open_table(ARTIFACTS)?.iter()? {
            let (digest, row) = row?;
            let StoredArtifact { size, uses } = codec::decode(row.value())?;
            if let (Ok(digest), 1..) = (digest.value().try_into(), uses) {
                report.artifacts.push(UsedArtifact { sha256: Digest(digest), size });
            }
        }
    }
    std::fs::rename(&partial, target).map_err(io)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(report)
}
