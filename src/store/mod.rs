//! The data file: one redb database that this process owns.
//!
//! One writer at a time runs a closure over a [`WriteTxn`]; what the closure did commits as a whole or not at all, so
//! aggregates compose: a change, its audit record, its outbox message and its idempotency key are one transaction.
//! Readers take short snapshots beside it.

mod approvals;
mod artifacts;
mod audit;
mod backups;
mod block;
mod bloom;
mod claim;
mod codec;
mod copy;
mod counters;
mod dead_letters;
mod deliveries;
mod evaluations;
mod feed;
mod feed_history;
mod follower;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod guard;
mod hooks;
mod idempotency;
mod importances;
mod imports;
mod inbox;
mod intents;
mod jobs;
mod migrate;
mod model_history;
mod models;
mod open;
mod outbox;
mod publications;
mod query;
mod restored;
mod retention;
mod rules;
mod schedule;
mod schema;
mod sessions;
mod space;
mod tokens;
mod triggers;
mod users;
mod verify;
mod versions;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use redb::{Database, ReadOnlyDatabase, ReadTransaction, WriteTransaction};
use tokio::sync::watch;

use self::claim::Claim;
use self::space::Purpose;
use crate::domain::time::Micros;

pub use approvals::Approval;
pub use artifacts::StoredArtifact;
pub use audit::AuditFilter;
pub use copy::CopyReport;
pub use counters::{CounterChanges, CounterFilter, CounterKey};
pub use deliveries::webhook_follower;
pub use evaluations::{Evaluations, series_fingerprint};
pub use feed::{FeedState, StoredGap, Tick};
pub use feed_history::FeedHistory;
pub use follower::FollowerPosition;
pub use idempotency::Carried;
pub use imports::ImportedFile;
pub use jobs::{JobCounts, JobFilter, TrimmedJobs};
pub use model_history::Reign;
pub use open::{Inspected, OpenError};
pub use outbox::{OutboxKind, OutboxMessage};
pub use publications::{Fingerprint, KEY_DAYS, Publication, fingerprint};
pub use query::{EventFilter, Found};
pub use restored::RestoreMark;
pub use retention::{Retention, Trimmed};
pub use rules::RestoreError;
pub use schedule::{Scheduled, Trainings};
pub use schema::SCHEMA_VERSION;
pub use sessions::Session;
pub use space::{RESERVE_BYTES, Room};
pub use tokens::Token;
pub use users::User;
#[cfg(test)]
pub(crate) use verify::spoil::spoil;
pub use verify::verify;
pub use versions::{Place, StoredVerdicts, VersionLine};

/// redb's cache. Its default of 1 GiB is not for a VPS.
const CACHE_BYTES: usize = 16 << 20;

/// A step on the data file that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space: nothing was written.
    #[error("the disk of {} is full: {free} bytes are free, {needed} must stay free; free some space, or lower \
             events.retention_bytes", path.display())]
    Full {
        /// The data file.
        path: PathBuf,
        /// What is free.
        free: u64,
        /// What must stay free.
        needed: u64,
    },
    /// A stored row that cannot be what was written.
    #[error("the data file is damaged: {what}: {why}; restore a backup, or see `quantum-clm doctor`")]
    Damaged {
        /// The kind of record.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A record that cannot be encoded.
    #[error("{what} cannot be stored: {why}")]
    Unwritable {
        /// The kind of record.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// redb stopped with a panic, which it does on pages that make no sense.
    #[error("the data file is damaged: {0}; restore a backup, or see `quantum-clm doctor`")]
    Panicked(String),
    /// The file is closed after an error and could not be opened again, or is open for reading only.
    #[error("the data file cannot be written to: {0}")]
    Closed(String),
    /// Any other error of redb or the disk.
    #[error("the data file: {0}")]
    Redb(#[from] Box<redb::Error>),
}

impl StoreError {
    /// Whether it is a matter of disk space, which passes when space is freed.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Redb(error) => space::is_full(error),
            _ => false,
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        })*
    };
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::CompactionError,
    redb::SetDurabilityError
);

/// How far the file has come: what followers wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The newest event.
    pub last: crate::domain::id::EventId,
    /// Events ever stored.
    pub events: u64,
    /// Those of them that were put in front of others since the file was opened: no follower of the newest sees them.
    pub backfilled: u64,
    /// The newest outbox message.
    pub outbox: u64,
}

/// The open data file.
pub struct Store {
    path: PathBuf,
    /// `None` only while it is closed after an error.
    database: RwLock<Option<Handle>>,
    writer: Mutex<Writer>,
    committed: watch::Sender<Committed>,
    counter_changes: CounterChanges,
    /// Somebody waits for every snapshot to end.
    is_wanted: AtomicBool,
    /// Says that a daemon works here, also while the file itself is closed for a moment. Given back with the file.
    claim: Mutex<Option<Claim>>,
}

/// redb's handle of the file.
enum Handle {
    /// The daemon's.
    Whole(Database),
    /// Of a command that looks: it changes no byte.
    ReadOnly(ReadOnlyDatabase),
}

impl Handle {
    fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        use redb::ReadableDatabase as _;
        Ok(match self {
            Self::Whole(database) => database.begin_read()?,
            Self::ReadOnly(database) => database.begin_read()?,
        })
    }
}

/// What the writer knows without reading.
struct Writer {
    tip: feed::Tip,
    /// Set when redb failed: it refuses everything until the file is opened anew.
    broken: Option<String>,
}

/// A transaction that writes. Aggregates add their methods in files of their own.
pub struct WriteTxn {
    txn: WriteTransaction,
    tip: RefCell<feed::Tip>,
    /// The feed's row as the file has it.
    feed: feed::FeedState,
    outbox: Cell<u64>,
    counters: RefCell<BTreeSet<CounterKey>>,
}

/// A snapshot. Hold it briefly: a pinned one makes the file grow.
pub struct ReadTxn {
    txn: ReadTransaction,
}

impl Store {
    /// The data file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes free to us on the data file's disk.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        space::free(&self.path)
    }

    /// The room on the data file's disk and in the file.
    pub fn room(&self) -> std::io::Result<Room> {
        let used = self.lock_writer().tip.feed.block_bytes;
        space::room(&self.path, used)
    }

    /// Tells how far the file has come, and each time that it moves on.
    pub fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.subscribe()
    }

    /// The counters that changed since somebody last asked.
    pub fn counter_changes(&self) -> &CounterChanges {
        &self.counter_changes
    }

    /// Runs `change` in one transaction: commits when it returns `Ok`, and leaves the file as it was otherwise.
    /// After an error of redb's the file is opened anew here, before `change` runs.
    pub fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&WriteTxn) -> Result<T, E>) -> Result<T, E> {
        self.write_for(Purpose::Adds, change)
    }

    /// Removes what is past its time, a part of it at once. Also on a disk that is too full for anything else.
    pub fn trim(&self, retention: Retention, now: Micros) -> Result<Trimmed, StoreError> {
        self.write_for(Purpose::Removes, |txn| txn.trim(retention, now))
    }

    fn write_for<T, E: From<StoreError>>(
        &self,
        purpose: Purpose,
        change: impl FnOnce(&WriteTxn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.lock_writer();
        space::require(&self.path, writer.tip.feed.block_bytes, purpose)?;
        if writer.broken.is_some() {
            self.reopen(&mut writer)?;
        }
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = match database.as_ref() {
            Some(Handle::Whole(database)) => database,
            Some(Handle::ReadOnly(_)) => return Err(StoreError::Closed("it was opened for reading only".into()).into()),
            None => return Err(StoreError::Closed(writer.broken.clone().unwrap_or_default()).into()),
        };
        let mut changed = None;
        let result = guard::catch(|| {
            let txn = begin(database, &writer.tip)?;
            let value = match change(&txn) {
                Ok(value) => value,
                Err(error) => return Ok(Err(error)),
            };
            changed = Some(txn.commit()?);
            Ok(Ok(value))
        });
        match result {
            Ok(Ok(value)) => {
                if let Some((tip, outbox, counters)) = changed {
                    self.counter_changes.add(counters);
                    self.committed.send_if_modified(|committed| {
                        let (last, events, backfilled) = (tip.feed.last, tip.feed.events, tip.backfilled);
                        let now = Committed { last, events, backfilled, outbox };
                        std::mem::replace(committed, now) != now
                    });
                    writer.tip = tip;
                }
                Ok(value)
            }
            Ok(Err(error)) => {
                // The closure's own reason, or redb's within it: only redb itself can tell which.
                writer.broken = guard::catch(|| refuses(database)).err().map(|error| error.to_string());
                Err(error)
            }
            Err(error) => {
                writer.broken = Some(error.to_string());
                Err(if error.is_full() { space::full(&self.path) } else { error }.into())
            }
        }
    }

    /// Runs `look` over a snapshot.
    pub fn read<T>(&self, look: impl FnOnce(&ReadTxn) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(StoreError::Closed("see the log for the cause".into()));
        };
        guard::catch(|| look(&ReadTxn { txn: database.begin_read()? }))
    }

    /// Closes the file in order: the trailing free space goes, and the next start needs no repair.
    pub fn close(self) {
        self.shut();
    }

    /// The same while others have it still: a backup that is being made is stopped in the middle of its copy. Whoever reads or
    /// writes from now on is refused.
    pub fn shut(&self) {
        // For good: the copy must not go on, and nobody opens the file anew.
        self.is_wanted.store(true, std::sync::atomic::Ordering::Relaxed);
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let _ = guard::catch(|| {
            drop(database);
            Ok(())
        });
        self.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin(database: &Database, tip: &feed::Tip) -> Result<WriteTxn, StoreError> {
    let txn = database.begin_write()?;
    let outbox = outbox::last(&txn)?;
    Ok(WriteTxn {
        txn,
        tip: RefCell::new(tip.clone()),
        feed: tip.feed.clone(),
        outbox: Cell::new(outbox),
        counters: RefCell::new(BTreeSet::new()),
    })
}

/// An error if redb refuses another transaction, as it does after a read or write that failed.
fn refuses(database: &Database) -> Result<(), StoreError> {
    Ok(database.begin_write()?.abort()?)
}

impl WriteTxn {
    fn commit(self) -> Result<(feed::Tip, u64, BTreeSet<CounterKey>), StoreError> {
        self.store_feed()?;
        crate::failpoint!("store.commit.before");
        self.txn.commit()?;
        crate::failpoint!("store.commit.after");
        Ok((self.tip.into_inner(), self.outbox.get(), self.counters.into_inner()))
    }
}

#[cfg(test)]
mod tests;
