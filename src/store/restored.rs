//! What a data file knows of having been restored from a backup.

use std::collections::BTreeSet;
use std::path::Path;

use redb::{Database, ReadableDatabase as _, ReadableTable, ReadableTableMetadata as _, TableHandle as _};

use super::codec::{self, records};
use super::open::{self, OpenError};
use super::schema::{META, SESSIONS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::backup::{HeldToken, HeldUser, Holdings};
use crate::domain::id::{EventId, IntentId};
use crate::domain::time::Micros;

/// The row of [`META`] that a restore leaves.
pub(super) const RESTORED: &str = "restored";

/// That the file was restored, and whether a daemon has taken note of it.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct RestoreMark {
    /// From which backup.
    pub backup: String,
    /// The machine that the backup was made on.
    pub host: String,
    /// When the backup was taken: nothing later is in the file.
    pub taken_at: Micros,
    /// When it was restored.
    pub at: Micros,
    /// By which account of the machine.
    pub by: String,
    /// Sessions of the backup that were ended.
    pub sessions_ended: u64,
    /// The number that a job was given last before the restore, as far as that is known or can be: none is given again.
    pub last_job: u64,
    /// The name of the data file of before, which lies beside it; empty where there was none.
    pub kept: String,
    /// The event that says so; none before the first start.
    pub noted: Option<EventId>,
    /// Whether the groups of the event bus were set back, so that what came since the backup is read again.
    pub bus_set_back: bool,
}

records! { RestoreMark = 1, "note of a restore"; }

fn get(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<RestoreMark>, StoreError> {
    table.get(RESTORED)?.map(|row| codec::decode(row.value())).transpose()
}

impl Store {
    /// What is known of the restore that the file is from, if it is from one.
    pub fn restored(&self) -> Result<Option<RestoreMark>, StoreError> {
        self.read(|ReadTxn { txn }| get(&txn.open_table(META)?))
    }

    /// Ends every session of the file at `path` and has it say that it was restored. It stays a file of its schema,
    /// so that the daemon migrates it as ever. Nobody may have it open.
    pub fn mark_restored(path: &Path, mark: &RestoreMark) -> Result<(), OpenError> {
        let mut database = open::open_database(path)?;
        open::check_identity(path, &database)?;
        let damaged = |error: StoreError| OpenError::Damaged { path: path.to_owned(), why: error.to_string() };
        super::guard::catch(|| write_mark(&mut database, mark)).map_err(damaged)?;
        super::guard::catch(|| {
            drop(database);
            Ok(())
        })
        .map_err(damaged)
    }

    /// What people want to know of the file before it is replaced, or takes another one's place.
    pub fn holdings(&self) -> Result<Holdings, StoreError> {
        let feed = self.feed();
        let mut holdings = Holdings {
            events: feed.events,
            last: feed.last,
            position: feed.position.map(|position| position.ts),
            sessions: self.sessions()?.len() as u64,
            last_job: self.job_counts()?.last,
            ..Holdings::default()
        };
        for user in self.users()? {
            let held =
                HeldUser { role: user.role, disabled: user.disabled, password_changed_at: user.password_changed_at };
            holdings.users.insert(user.name.as_str().to_owned(), held);
        }
        for token in self.tokens()? {
            let held = HeldToken { grant: token.grant, expires_at: token.expires_at };
            holdings.tokens.insert((token.id, token.name.as_str().to_owned()), held);
        }
        for intent in self.intents(None, None, IntentId(u64::MAX), usize::MAX)? {
            holdings.intents.insert(intent.id, intent.state());
        }
        for model in self.models()? {
            let counts = model.counts;
            let living = [counts.training, counts.shadow, counts.candidate, counts.deployed, counts.failed];
            holdings.versions += living.into_iter().map(u64::from).sum::<u64>();
            let production = model.production.map(|version| version.as_str().to_owned());
            holdings.production.insert(model.id.as_str().to_owned(), production);
        }
        for job in self.open_jobs()?.into_iter().filter(|job| job.state.is_held()) {
            holdings.held_jobs.insert(job.id, job.model.as_str().to_owned());
        }
        Ok(holdings)
    }
}

fn write_mark(database: &mut Database, mark: &RestoreMark) -> Result<(), StoreError> {
    let there: BTreeSet<String> = database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
    let mut mark = mark.clone();
    let txn = database.begin_write()?;
    {
        // A file of the first schema has no such table yet, and is not to get one here.
        if there.contains(SESSIONS.name()) {
            let mut sessions = txn.open_table(SESSIONS)?;
            mark.sessions_ended = sessions.len()?;
            sessions.retain(|_, _| false)?;
        }
        txn.open_table(META)?.insert(RESTORED, codec::encode(&mark)?.as_slice())?;
    }
    txn.commit()?;
    Ok(())
}

impl WriteTxn {
    /// As [`Store::restored`], as this transaction sees it.
    pub fn restored(&self) -> Result<Option<RestoreMark>, StoreError> {
        get(&self.txn.open_table(META)?)
    }

    /// Changes what is known of it.
    pub fn put_restored(&self, mark: &RestoreMark) -> Result<(), StoreError> {
        self.txn.open_table(META)?.insert(RESTORED, codec::encode(mark)?.as_slice())?;
        Ok(())
    }
}
