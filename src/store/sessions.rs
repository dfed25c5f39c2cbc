use redb::{ReadableTable, Table};

use super::codec::{self, records};
use super::schema::{META, SESSIONS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::account::{Fingerprint, UserName};
use crate::domain::id::{SessionId, TokenId};
use crate::domain::time::Micros;

/// A user who is signed in. The row's key is the fingerprint of the secret in their cookie.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserName,
    /// When they signed in.
    pub created_at: Micros,
    /// Its end, whatever happens.
    pub expires_at: Micros,
    /// When a request last carried it, to the minute.
    pub last_seen: Micros,
    /// Where they signed in from.
    pub address: String,
    /// What they signed in with: the browser's own words.
    pub agent: String,
}

/// The numbers given last. Rows go, their numbers do not come back: the audit log names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(super) struct Numbers {
    session: u64,
    token: u64,
}

/// The row of [`META`] that holds them.
pub(super) const NUMBERS: &str = "account numbers";

records! {
    Session = 1, "session";
    Numbers = 1, "account numbers";
}

impl Store {
    /// The session of that secret, whether it has expired or not.
    pub fn session(&self, print: &Fingerprint) -> Result<Option<Session>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let table = txn.open_table(SESSIONS)?;
            let row = table.get(print.0.as_slice())?;
            row.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// Every session, in order of number.
    pub fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut sessions: Vec<_> =
                all(&txn.open_table(SESSIONS)?)?.into_iter().map(|(_, session)| session).collect();
            sessions.sort_by_key(|session| session.id);
            Ok(sessions)
        })
    }
}

type Rows = Vec<(Vec<u8>, Session)>;

fn all(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Rows, StoreError> {
    let mut sessions = Vec::new();
    for row in table.iter()? {
        let (print, row) = row?;
        sessions.push((print.value().to_vec(), codec::decode(row.value())?));
    }
    Ok(sessions)
}

impl WriteTxn {
    /// A number that no session had before.
    pub fn next_session_id(&self) -> Result<SessionId, StoreError> {
        self.number(|numbers| {
            numbers.session += 1;
            SessionId(numbers.session)
        })
    }

    /// A number that no token had before.
    pub fn next_token_id(&self) -> Result<TokenId, StoreError> {
        self.number(|numbers| {
            numbers.token += 1;
            TokenId(numbers.token)
        })
    }

    fn number<T>(&self, next: impl FnOnce(&mut Numbers) -> T) -> Result<T, StoreError> {
        let mut meta = self.txn.open_table(META)?;
        let mut numbers = match meta.get(NUMBERS)? {
            Some(row) => codec::decode(row.value())?,
            None => Numbers::default(),
        };
        let given = next(&mut numbers);
        meta.insert(NUMBERS, codec::encode(&numbers)?.as_slice())?;
        Ok(given)
    }

    /// Stores a session under its secret's fingerprint.
    pub fn put_session(&self, print: &Fingerprint, session: &Session) -> Result<(), StoreError> {
        put(&mut self.txn.open_table(SESSIONS)?, &print.0, session)
    }

    /// Every session, as this transaction sees them.
    pub fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        Ok(all(&self.txn.open_table(SESSIONS)?)?.into_iter().map(|(_, session)| session).collect())
    }

    /// Ends the sessions that `ends` picks, and tells which they were.
    pub fn end_sessions(&self, mut ends: impl FnMut(&Session) -> bool) -> Result<Vec<Session>, StoreError> {
        let mut table = self.txn.open_table(SESSIONS)?;
        let mut ended = Vec::new();
        for (print, session) in all(&table)? {
            if ends(&session) {
                table.remove(print.as_slice())?;
                ended.push(session);
            }
        }
        Ok(ended)
    }

    /// Lets `change` see each session; stores those for which it answers `true`.
    pub fn change_sessions(&self, mut change: impl FnMut(&mut Session) -> bool) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(SESSIONS)?;
        for (print, mut session) in all(&table)? {
            if change(&mut session) {
                put(&mut table, &print, &session)?;
            }
        }
        Ok(())
    }
}

fn put(table: &mut Table<'_, &'static [u8], &'static [u8]>, print: &[u8], session: &Session) -> Result<(), StoreError> {
    table.insert(print, codec::encode(session)?.as_slice())?;
    Ok(())
}
