use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, TableHandle};
use tokio::sync::watch;

use super::claim::{self, Claim};
use super::schema::{META, SCHEMA_VERSION, TABLES};
use super::{
    CACHE_BYTES, Committed, CounterChanges, Handle, Store, StoreError, Writer, codec, feed, guard, migrate, outbox,
};

/// redb's first bytes.
const MAGIC: &[u8] = b"redb";

pub(super) const IDENTITY: &str = "identity";

/// Which program and schema wrote the file.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(crate) struct Identity {
    pub(crate) program: String,
    pub(crate) schema: u32,
    pub(crate) written_by: String,
}

codec::records! { Identity = 1, "identity of the file"; }

/// Why a data file is not opened. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another quantum-clm: stop it, or ask it over its socket", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Not ours.
    #[error("{} is not a data file of quantum-clm: {why}; set data_file to another path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// Written by a later program.
    #[error("{} has schema version {schema}, written by quantum-clm {written_by}; this program reads up to \
             {SCHEMA_VERSION}: install that version or later{}", path.display(), way_back(copy.as_deref()))]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u32,
        /// Who wrote it.
        written_by: String,
        /// The copy from before a migration that this program can read, where there is one.
        copy: Option<PathBuf>,
    },
    /// It would have to be changed before it can be read.
    #[error("{} cannot be read as it is: {why}; only the daemon changes a data file, so start quantum-clm on it, or on a \
             copy of it, once", path.display())]
    NotReady {
        /// The file.
        path: PathBuf,
        /// What would have to be done.
        why: String,
    },
    /// Cut short, flipped bits, or worse.
    #[error("{} is damaged: {why}; restore a backup, or move the file away to start with an empty one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that shows.
        why: String,
    },
    /// The file or its directory cannot be used.
    #[error("{}: {source}; {remedy}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A migration that failed; the copy made before it is whole.
    #[error("{}: migration from schema {from} failed: {source}; the copy made before it is {}", path.display(),
            copy.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// Its schema.
        from: u32,
        /// The copy.
        copy: PathBuf,
        /// The cause.
        source: StoreError,
    },
}

/// What can be known of a data file without changing a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// There is none, or an empty one: the first start makes it.
    Missing,
    /// It was not closed in order: the next start repairs it. What is in it cannot be told before.
    Unclean,
    /// It is ours, with this schema.
    Sound {
        /// The version of its tables; an older one is migrated at the next start.
        schema: u32,
    },
}

impl Store {
    /// Looks whether the data file could be opened. Writes nothing, neither there nor elsewhere.
    pub fn inspect(path: &Path) -> Result<Inspected, OpenError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        check_directory(path, parent)?;
        if !check_magic(path, true)? {
            return Ok(Inspected::Missing);
        }
        match open_read_only(path)? {
            None => Ok(Inspected::Unclean),
            Some(database) => Ok(Inspected::Sound { schema: check_identity(path, &database)? }),
        }
    }

    /// Opens a data file that no daemon has, for a look: changes no byte of it, nor needs the right to. What would have
    /// to be repaired or migrated first is refused.
    pub fn open_for_reading(path: &Path) -> Result<Self, OpenError> {
        let not_ready = |why: &str| OpenError::NotReady { path: path.to_owned(), why: why.to_owned() };
        if !check_magic(path, false)? {
            return Err(not_ready("there is nothing in it yet"));
        }
        let database = open_read_only(path)?.ok_or_else(|| {
            not_ready("it was not closed in order, as after a crash, or was copied while a daemon wrote to it")
        })?;
        let schema = check_identity(path, &database)?;
        if schema < SCHEMA_VERSION {
            return Err(not_ready(&format!("it has schema version {schema} and would have to be migrated")));
        }
        let loaded = guard::catch(|| {
            let txn = database.begin_read()?;
            let tables: BTreeSet<String> = txn.list_tables()?.map(|table| table.name().to_owned()).collect();
            if !TABLES.iter().all(|table| tables.contains(table.name)) {
                return Ok(None);
            }
            Ok(Some((feed::Tip::load(&txn)?, outbox::last_read(&txn)?)))
        });
        let (tip, outbox) = loaded
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), why: plain(error) })?
            .ok_or_else(|| not_ready("it lacks tables of this version"))?;
        Ok(Self::of(path, Handle::ReadOnly(database), tip, outbox, None))
    }

    /// Opens the data file, or makes a new one where there is none. Migrates an older schema after a copy, and compacts
    /// when more than half of the file is free. After a crash this repairs first.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source, remedy| OpenError::Io { path: path.to_owned(), remedy, source };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        check_directory(path, parent)?;
        let claim = Claim::take(path, parent)?;
        let exists = check_magic(path, true)?;
        let mut database = open_database(path)?;
        if exists {
            let schema = check_identity(path, &database)?;
            if schema < SCHEMA_VERSION {
                database = migrate::migrate(path, database, schema)?;
            }
            super::retention::compact_if_sparse(path, &mut database)
                .map_err(|error| OpenError::Damaged { path: path.to_owned(), why: error.to_string() })?;
        }
        let damaged = |error: StoreError| match error {
            StoreError::Redb(error) if super::space::is_full(&error) => {
                io(io::Error::from(io::ErrorKind::StorageFull), "free some space on its disk")
            }
            error => OpenError::Damaged { path: path.to_owned(), why: plain(error) },
        };
        let (tip, outbox) = guard::catch(|| {
            prepare(&database)?;
            let txn = database.begin_read()?;
            Ok((feed::Tip::load(&txn)?, outbox::last_read(&txn)?))
        })
        .map_err(damaged)?;
        Ok(Self::of(path, Handle::Whole(database), tip, outbox, Some(claim)))
    }

    fn of(path: &Path, handle: Handle, tip: feed::Tip, outbox: u64, claim: Option<Claim>) -> Self {
        let committed = Committed { last: tip.feed.last, events: tip.feed.events, backfilled: 0, outbox };
        Self {
            path: path.to_owned(),
            database: RwLock::new(Some(handle)),
            writer: Mutex::new(Writer { tip, broken: None }),
            committed: watch::Sender::new(committed),
            counter_changes: CounterChanges::default(),
            is_wanted: AtomicBool::new(false),
            claim: Mutex::new(claim),
        }
    }

    /// Opens the file anew after a failed commit. Waits for readers: two handles cannot have one file.
    pub(super) fn reopen(&self, writer: &mut Writer) -> Result<(), StoreError> {
        self.is_wanted.store(true, Ordering::Relaxed);
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.is_wanted.store(false, Ordering::Relaxed);
        let old = database.take();
        let _ = guard::catch(|| {
            drop(old);
            Ok(())
        });
        let new = open_database(&self.path).map_err(|error| StoreError::Closed(error.to_string()))?;
        let (mut tip, outbox) = guard::catch(|| {
            let txn = new.begin_read()?;
            Ok((feed::Tip::load(&txn)?, outbox::last_read(&txn)?))
        })?;
        tip.backfilled = writer.tip.backfilled;
        // The failed commit may have reached the disk all the same: the file is what counts.
        let (last, events, backfilled) = (tip.feed.last, tip.feed.events, tip.backfilled);
        self.committed.send_replace(Committed { last, events, backfilled, outbox });
        self.counter_changes.all();
        writer.tip = tip;
        writer.broken = None;
        *database = Some(Handle::Whole(new));
        Ok(())
    }
}

/// Says what the error is without the advice of [`StoreError`], which [`OpenError`] gives in its own words.
fn plain(error: StoreError) -> String {
    match error {
        StoreError::Damaged { what, why } => format!("{what}: {why}"),
        StoreError::Panicked(why) => why,
        error => error.to_string(),
    }
}

fn check_directory(path: &Path, parent: &Path) -> Result<(), OpenError> {
    let remedy = "make the directory, owned by the user that quantum-clm runs as";
    std::fs::metadata(parent).map(drop).map_err(|source| OpenError::Io { path: path.to_owned(), remedy, source })
}

/// Whether there is a file; one that is not redb's is refused before redb touches it.
pub(super) fn check_magic(path: &Path, write: bool) -> Result<bool, OpenError> {
    use std::io::Read as _;
    let remedy = match write {
        true => "give the user that quantum-clm runs as the right to read and write it",
        false => "run this as a user that may read it",
    };
    let io = |source| OpenError::Io { path: path.to_owned(), remedy, source };
    let mut file = match std::fs::OpenOptions::new().read(true).write(write).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io(error)),
    };
    let len = file.metadata().map_err(io)?.len();
    if len == 0 {
        return Ok(false);
    }
    let mut magic = [0; 4];
    match file.read_exact(&mut magic) {
        Ok(()) if magic == MAGIC => Ok(true),
        _ => Err(OpenError::Foreign { path: path.to_owned(), why: "it does not begin like a redb file".into() }),
    }
}

/// Opens a file for reading and writing; where there is none, makes one that only its owner may read.
fn open_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Trading decisions are nobody else's business: the umask is not asked.
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The same for a copy that is to be filled.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    open_private(path).map(drop)
}

pub(super) fn open_database(path: &Path) -> Result<Database, OpenError> {
    let unreachable = |error| refused(path)(redb::StorageError::Io(error).into());
    let file = open_private(path).map_err(unreachable)?;
    let is = file.metadata().map_err(unreachable)?;
    crate::failpoint!("store.opened");
    let opened = guard::catch(|| {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        Ok(builder.create_file(file))
    });
    let database = opened.map_err(|error| OpenError::Damaged { path: path.to_owned(), why: plain(error) })?;
    let database = database.map_err(refused(path))?;
    // redb locks what was opened, which may have lost its name since.
    if claim::is_at(path, &is) { Ok(database) } else { Err(OpenError::InUse { path: path.to_owned() }) }
}

/// `None` for a file that has to be repaired first.
fn open_read_only(path: &Path) -> Result<Option<ReadOnlyDatabase>, OpenError> {
    let opened = guard::catch(|| {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        Ok(builder.open_read_only(path))
    });
    match opened.map_err(|error| OpenError::Damaged { path: path.to_owned(), why: plain(error) })? {
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(refused(path)(error)),
        Ok(database) => Ok(Some(database)),
    }
}

/// What redb's refusal means.
pub(super) fn refused(path: &Path) -> impl Fn(DatabaseError) -> OpenError {
    let path = path.to_owned();
    move |error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path: path.clone() },
        DatabaseError::UpgradeRequired(version) => {
            OpenError::Foreign { path: path.clone(), why: format!("it has redb's old file format {version}") }
        }
        DatabaseError::Storage(redb::StorageError::Io(source))
            if !matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
        {
            let remedy = "check the disk, its free space and its rights";
            OpenError::Io { path: path.clone(), remedy, source }
        }
        error => OpenError::Damaged { path: path.clone(), why: error.to_string() },
    }
}

/// Refuses a file of another program or a later schema; the schema of ours.
pub(super) fn check_identity(path: &Path, database: &impl ReadableDatabase) -> Result<u32, OpenError> {
    read_identity(path, database).map_err(|error| match error {
        OpenError::Newer { path, schema, written_by, .. } => {
            let copy = older_copy(&path, schema);
            OpenError::Newer { path, schema, written_by, copy }
        }
        error => error,
    })
}

fn read_identity(path: &Path, database: &impl ReadableDatabase) -> Result<u32, OpenError> {
    let foreign = |why: String| OpenError::Foreign { path: path.to_owned(), why };
    let known: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    let identity = guard::catch(|| {
        let txn = database.begin_read()?;
        let names: Vec<String> = txn.list_tables()?.map(|table| table.name().to_owned()).collect();
        if names.is_empty() {
            // Made and killed before its first commit: as good as new.
            return Ok(Ok(None));
        }
        if !names.iter().any(|name| name == "meta") {
            return Ok(Err(format!("it holds the table {:?} and no identity", names[0])));
        }
        let row = txn.open_table(META)?.get(IDENTITY)?.map(|row| row.value().to_vec());
        let Some(row) = row else { return Ok(Err("it has no identity".into())) };
        let identity: Identity = codec::decode(&row)?;
        if identity.schema == SCHEMA_VERSION
            && let Some(name) = names.iter().find(|name| !known.contains(name.as_str()))
        {
            return Ok(Err(format!("it holds the unknown table {name:?}")));
        }
        Ok(Ok(Some(identity)))
    })
    .map_err(|error| OpenError::Damaged { path: path.to_owned(), why: plain(error) })?
    .map_err(foreign)?;
    match identity {
        None => Ok(SCHEMA_VERSION),
        Some(identity) if identity.program != env!("CARGO_PKG_NAME") => {
            Err(foreign(format!("it belongs to {}", identity.program)))
        }
        Some(identity) if identity.schema > SCHEMA_VERSION => {
            let (schema, written_by) = (identity.schema, identity.written_by);
            Err(OpenError::Newer { path: path.to_owned(), schema, written_by, copy: None })
        }
        Some(identity) => Ok(identity.schema),
    }
}

/// The newest of the copies that migrations up to `schema` left beside the file, of those that this program can read.
fn older_copy(path: &Path, schema: u32) -> Option<PathBuf> {
    let mut copies = (SCHEMA_VERSION + 1..=schema).rev().flat_map(|to| migrate::copies_of(path, to));
    let is_ours = |copy: &PathBuf| {
        let database = check_magic(copy, false)
            .ok()
            .filter(|is_there| *is_there)
            .and_then(|_| open_read_only(copy).ok().flatten());
        database.is_some_and(|database| read_identity(copy, &database).is_ok())
    };
    copies.find(is_ours)
}

/// What an operator does who wants the older version all the same.
fn way_back(copy: Option<&Path>) -> String {
    copy.map_or_else(String::new, |copy| {
        format!(
            ", or put {} in its place, which was copied before the migration and has nothing that came since",
            copy.display()
        )
    })
}

/// The row that says whose file it is, in which schema.
fn identity(schema: u32) -> Result<Vec<u8>, StoreError> {
    codec::encode(&Identity {
        program: env!("CARGO_PKG_NAME").to_owned(),
        schema,
        written_by: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Writes the identity of a file that now has this schema.
pub(super) fn identify(txn: &redb::WriteTransaction, schema: u32) -> Result<(), StoreError> {
    txn.open_table(META)?.insert(IDENTITY, identity(schema)?.as_slice())?;
    Ok(())
}

/// Makes the missing tables and writes the identity, unless both stand already: a start writes nothing then.
fn prepare(database: &Database) -> Result<(), StoreError> {
    let row = identity(SCHEMA_VERSION)?;
    let txn = database.begin_read()?;
    let tables: BTreeSet<String> = txn.list_tables()?.map(|table| table.name().to_owned()).collect();
    if TABLES.iter().all(|table| tables.contains(table.name))
        && txn.open_table(META)?.get(IDENTITY)?.is_some_and(|had| had.value() == row)
    {
        return Ok(());
    }
    drop(txn);
    let txn = database.begin_write()?;
    for table in TABLES {
        (table.create)(&txn)?;
    }
    identify(&txn, SCHEMA_VERSION)?;
    txn.commit()?;
    Ok(())
}
