//! Who may do what: users and their passwords, sessions, tokens, and the log of all that is done and refused.
//!
//! Everything here blocks: it reads and writes the data file, and hashes passwords. Whoever is async calls it from a
//! thread that may block.

mod hashing;
mod log;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;
mod unwritten;
mod upkeep;
mod users;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::log::{AuditPage, AuditQuery, AuditRow, Verified};
pub use self::sessions::{NewSession, Session, SessionList, SessionRow, SignInError};
pub use self::tokens::{NewToken, TokenError, TokenList, TokenRow};
pub use self::users::{UserList, UserRow};
use crate::config::Auth;
use crate::domain::account::SecretText;
use crate::domain::backoff::{Backoff, Limits};
use crate::domain::id::{SessionId, TokenId};
use crate::domain::refusal::{Refusal, Refusals};
use crate::domain::time::Micros;
use crate::observe::now;
use crate::store::{Store, StoreError};

/// Why something about users, sessions or tokens was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A value that does not do.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// There is nothing of that name or number.
    #[error("there is no {0}")]
    Unknown(String),
    /// It stands against what is there.
    #[error("{0}")]
    Conflict(String),
    /// Without an admin nobody could add one, but for the command over the socket.
    #[error("the last admin who can sign in is {0}: make another one first")]
    LastAdmin(String),
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked just now: try again in a few seconds")]
    Busy,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The password hash cannot be computed or read.
    #[error("the password hash: {0}")]
    Hash(String),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Users, sessions, tokens and the audit log of a data file.
pub struct Accounts {
    store: Arc<Store>,
    settings: Auth,
    clock: Box<dyn Fn() -> Micros + Send + Sync>,
    hashing: hashing::Hashing,
    throttle: Mutex<Throttle>,
    seen: Mutex<Seen>,
    refusals: Mutex<Refusals>,
    next_tidy: Mutex<Micros>,
    /// Sessions that the disk had no room for.
    unwritten: Mutex<Vec<unwritten::Unwritten>>,
}

/// Who has to wait before the next try.
struct Throttle {
    accounts: Backoff,
    addresses: Backoff,
}

/// What was used since the file last heard of it: a request must not cost a commit.
#[derive(Default)]
struct Seen {
    sessions: HashMap<SessionId, Micros>,
    tokens: HashMap<TokenId, (Micros, String)>,
}

impl Accounts {
    /// The accounts of `store`.
    pub fn new(store: Arc<Store>, settings: Auth) -> Self {
        Self::with_clock(store, settings, now)
    }

    /// The same with another clock.
    pub fn with_clock(store: Arc<Store>, settings: Auth, clock: impl Fn() -> Micros + Send + Sync + 'static) -> Self {
        let throttle = Throttle { accounts: Backoff::new(Limits::ACCOUNT), addresses: Backoff::new(Limits::ADDRESS) };
        Self {
            store,
            settings,
            clock: Box::new(clock),
            hashing: hashing::Hashing::default(),
            throttle: Mutex::new(throttle),
            seen: Mutex::default(),
            refusals: Mutex::default(),
            next_tidy: Mutex::default(),
            unwritten: Mutex::default(),
        }
    }

    /// Whether anybody can sign in at all. Before that, the pages say how the first user is added.
    pub fn has_users(&self) -> Result<bool, AccountError> {
        Ok(self.store.has_users()?)
    }

    /// Takes down a refused attempt. Waits for nothing: [`Accounts::upkeep`] writes it.
    pub fn refused(&self, refusal: Refusal) {
        lock(&self.refusals).add(refusal, (self.clock)());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 256 random bits.
fn secret() -> Result<SecretText, AccountError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| AccountError::Random(error.to_string()))?;
    Ok(SecretText::of(random))
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
