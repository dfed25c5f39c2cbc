use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unwritten::SIGN_IN;
use super::users::about;
use super::{AccountError, Accounts, lock, micros, secret};
use crate::domain::access::Actor;
use crate::domain::account::{self, Fingerprint, SecretText, UserName};
use crate::domain::audit::AuditEntry;
use crate::domain::id::SessionId;
use crate::domain::refusal::Refusal;
use crate::domain::role::Role;
use crate::domain::time::{Micros, rfc3339};
use crate::store::{self, StoreError, User};

/// The most sessions of one user. The one that began first makes room.
const A_USER: usize = 50;

/// The longest part of a browser's description of itself that is kept.
const AGENT_CHARS: usize = 200;

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session's number.
    pub id: SessionId,
    /// Who.
    pub user: UserName,
    /// What they may do.
    pub role: Role,
    /// What the cookie holds. Nobody can have it a second time.
    pub secret: SecretText,
    /// How long the cookie is good for.
    pub lifetime: Duration,
}

/// The session that a request belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserName,
    /// What they may do now.
    pub role: Role,
    /// What its forms must carry.
    pub csrf: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {}, {})", self.id, self.user, self.role.as_str())
    }
}

/// A session, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRow {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserName,
    /// When they signed in.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub created_at: Micros,
    /// When a request last carried it.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub last_seen: Micros,
    /// When it ends, if it is used until then.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub expires_at: Micros,
    /// Where they signed in from.
    pub address: String,
    /// What they signed in with: the browser's own words.
    pub agent: String,
}

impl From<store::Session> for SessionRow {
    fn from(session: store::Session) -> Self {
        let store::Session { id, user, created_at, expires_at, last_seen, address, agent } = session;
        Self { id, user, created_at, last_seen, expires_at, address, agent }
    }
}

/// The sessions that have not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionList {
    /// By number.
    pub sessions: Vec<SessionRow>,
    /// Null: the list is whole.
    pub next: Option<String>,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such user, a wrong password, or a disabled user: nobody is told which.
    #[error("user name or password is wrong{}", then_wait(*.seconds))]
    Wrong {
        /// How long the next try has to wait; 0 where it need not.
        seconds: u64,
    },
    /// Too many tries failed: this one was not looked at.
    #[error("too many failed tries: wait {seconds} s before the next")]
    Wait {
        /// How long.
        seconds: u64,
    },
    /// It could not be looked at.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

fn then_wait(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!("; wait {seconds} s before the next try") }
}

/// A user whose password was right.
type Confirmed = User;

impl Accounts {
    /// Signs somebody in: a new session with a secret of its own, whatever cookie the browser had before.
    ///
    /// An unknown user costs the same work, gets the same answer and has to wait as long as a known one. Where the disk is full
    /// the session is written later ([`super::unwritten`]).
    pub fn sign_in(&self, name: &str, password: &str, address: &str, agent: &str) -> Result<NewSession, SignInError> {
        let name = UserName::typed(name).ok();
        // Only names of users are taken down: what is typed into the wrong field may be a password.
        let known = match &name {
            Some(name) => self.store.user(name)?,
            None => None,
        };
        let shown = known.as_ref().map_or("unknown", |user| user.name.as_str()).to_owned();
        let actor = Actor::person(shown, address);
        let account = name.as_ref().map_or("", UserName::as_str);
        let user = self.judge(&actor, account, known, password, SIGN_IN)?;
        let secret = secret()?;
        let print = Fingerprint::of_session(secret.expose());
        let now = (self.clock)();
        let lifetime = self.settings.session_lifetime;
        let session = store::Session {
            id: SessionId(0),
            user: user.name.clone(),
            created_at: now,
            expires_at: now.plus(micros(lifetime)),
            last_seen: now,
            address: address.to_owned(),
            agent: agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS).collect(),
        };
        let written = self.store.write(|txn| {
            // Between the look and now the password may have changed, or the user may be gone.
            let same = |now: &User| now.password_hash == user.password_hash && !now.disabled;
            let Some(mut user) = txn.user(&user.name)?.filter(same) else {
                return Err(SignInError::Wrong { seconds: 0 });
            };
            let mut own: Vec<_> = txn.sessions()?.into_iter().filter(|session| session.user == user.name).collect();
            own.sort_by_key(|session| session.id);
            if let Some(excess) = own.len().checked_sub(A_USER)
                && let Some(newest) = own.get(excess)
            {
                txn.end_sessions(|session| session.user == user.name && session.id <= newest.id)?;
            }
            let id = txn.next_session_id()?;
            txn.put_session(&print, &store::Session { id, ..session.clone() })?;
            user.last_sign_in = Some(now);
            txn.put_user(&user)?;
            txn.audit(AuditEntry::done(now, &actor, SIGN_IN, format!("session {id}"), ""))?;
            Ok((id, user.role))
        });
        let (id, role) = match written {
            Err(SignInError::Account(AccountError::Store(full))) if full.is_full() => {
                let id = self.hold(print, session, actor, &user).ok_or(full)?;
                (id, user.role)
            }
            written => written?,
        };
        self.forgive(account, &address_key(address));
        Ok(NewSession { id, user: user.name, role, secret, lifetime })
    }

    /// Whether `password` is that of `name`, who is signed in: what asks for it again is guarded as sign-in is.
    pub(super) fn confirm(
        &self,
        actor: &Actor,
        name: &UserName,
        password: &str,
        action: &'static str,
    ) -> Result<(), SignInError> {
        let known = self.store.user(name)?;
        self.judge(actor, name.as_str(), known, password, action)?;
        self.forgive(name.as_str(), &address_key(&actor.address));
        Ok(())
    }

    /// Charges the attempt, compares the password, and takes the attempt down where it fails. A success is the caller's to
    /// forgive.
    fn judge(
        &self,
        actor: &Actor,
        account: &str,
        known: Option<User>,
        password: &str,
        action: &'static str,
    ) -> Result<Confirmed, SignInError> {
        let address = address_key(&actor.address);
        let refused = |why: &str| {
            let subject = format!("user {}", if known.is_some() { account } else { "unknown" });
            self.refused(Refusal { actor: actor.clone(), action, subject, why: why.to_owned() });
        };
        let wait = || {
            let throttle = lock(&self.throttle);
            let now = (self.clock)();
            let wait = throttle.accounts.wait(account, now).max(throttle.addresses.wait(&address, now));
            (throttle, now, wait.div_ceil(Micros::SECOND))
        };
        {
            let (mut throttle, now, seconds) = wait();
            if seconds > 0 {
                drop(throttle);
                refused("too many failed tries: not looked at");
                return Err(SignInError::Wait { seconds });
            }
            throttle.accounts.charge(account, now);
            throttle.addresses.charge(&address, now);
        }
        match self.hashing.verify(password, known.as_ref().map(|user| user.password_hash.as_str())) {
            Ok(true) => {}
            Ok(false) => {
                refused(if known.is_some() { "wrong password" } else { "no such user" });
                return Err(SignInError::Wrong { seconds: wait().2 });
            }
            Err(error) => {
                // It was not looked at, so it is no failure of whoever tried.
                let mut throttle = lock(&self.throttle);
                throttle.accounts.give_back(account);
                throttle.addresses.give_back(&address);
                return Err(error.into());
            }
        }
        match known {
            Some(user) if !user.disabled => Ok(user),
            _ => {
                let why = "the user is disabled".to_owned();
                self.refused(Refusal { actor: actor.clone(), action, subject: format!("user {account}"), why });
                Err(SignInError::Wrong { seconds: wait().2 })
            }
        }
    }

    /// The session of that secret, if it has not ended.
    pub fn session(&self, secret: &str) -> Result<Option<Session>, AccountError> {
        if !SecretText::is_one(secret) {
            return Ok(None);
        }
        let print = Fingerprint::of_session(secret);
        let found = match self.store.session(&print)? {
            Some(found) => Some(found),
            None => self.held(&print)?,
        };
        let Some(found) = found else { return Ok(None) };
        let now = (self.clock)();
        if self.has_ended(&found, now) {
            return Ok(None);
        }
        let Some(user) = self.store.user(&found.user)?.filter(|user| !user.disabled) else { return Ok(None) };
        lock(&self.seen).sessions.insert(found.id, now);
        Ok(Some(Session { id: found.id, user: user.name, role: user.role, csrf: account::csrf(secret) }))
    }

    /// Ends the session that somebody signs out of.
    pub fn sign_out(&self, actor: &Actor, id: SessionId) -> Result<(), AccountError> {
        self.end(actor, "sign-out", |session| session.id == id).map(drop)
    }

    /// The sessions that have not ended; only those of `user` where one is named.
    pub fn sessions(&self, user: Option<&UserName>) -> Result<SessionList, AccountError> {
        let now = (self.clock)();
        let mut sessions = Vec::new();
        for mut session in self.store.sessions()?.into_iter().chain(self.all_held()) {
            if !self.has_ended(&session, now) && user.is_none_or(|user| session.user == *user) {
                session.last_seen = self.last_seen(&session);
                sessions.push(SessionRow::from(session));
            }
        }
        Ok(SessionList { sessions, next: None })
    }

    /// Ends a session; only one of `owner` where one is named.
    pub fn revoke_session(
        &self,
        actor: &Actor,
        id: SessionId,
        owner: Option<&UserName>,
    ) -> Result<SessionRow, AccountError> {
        let ours = |session: &store::Session| session.id == id && owner.is_none_or(|owner| session.user == *owner);
        let ended = self.end(actor, "session.revoke", ours)?;
        ended.into_iter().next().ok_or_else(|| AccountError::Unknown(format!("session {id}")))
    }

    /// Ends every session of a user.
    pub fn revoke_all(&self, actor: &Actor, user: &UserName) -> Result<SessionList, AccountError> {
        self.store.user(user)?.ok_or_else(|| AccountError::Unknown(about(user)))?;
        let sessions = self.end(actor, "session.revoke", |session| session.user == *user)?;
        Ok(SessionList { sessions, next: None })
    }

    /// Ends every session of a user but the one that they ask from.
    pub fn revoke_others(&self, actor: &Actor, user: &UserName, kept: SessionId) -> Result<SessionList, AccountError> {
        let sessions = self.end(actor, "session.revoke", |session| session.user == *user && session.id != kept)?;
        Ok(SessionList { sessions, next: None })
    }

    fn end(
        &self,
        actor: &Actor,
        action: &str,
        mut ends: impl FnMut(&store::Session) -> bool,
    ) -> Result<Vec<SessionRow>, AccountError> {
        let now = (self.clock)();
        let held = self.end_held(actor, action, &mut ends, now);
        if !held.is_empty() && !self.store.sessions()?.iter().any(&mut ends) {
            return Ok(held.into_iter().map(SessionRow::from).collect());
        }
        self.store.write(|txn| {
            let ended = txn.end_sessions(ends)?;
            for session in &ended {
                let subject = format!("session {}", session.id);
                txn.audit(AuditEntry::done(now, actor, action, subject, format!("of {}", session.user)))?;
            }
            Ok(ended.into_iter().chain(held).map(SessionRow::from).collect())
        })
    }

    /// Whether a session is past its time, or was idle too long.
    pub(super) fn has_ended(&self, session: &store::Session, now: Micros) -> bool {
        let idle = now.0.saturating_sub(self.last_seen(session).0);
        now >= session.expires_at || idle >= micros(self.settings.session_idle)
    }

    pub(super) fn last_seen(&self, session: &store::Session) -> Micros {
        lock(&self.seen).sessions.get(&session.id).map_or(session.last_seen, |seen| session.last_seen.max(*seen))
    }
}

/// What of an address counts as one: of IPv6 the network of 64 bits, which is what one household or one server has.
pub(super) fn address_key(address: &str) -> String {
    match address.parse().map(|ip: std::net::IpAddr| ip.to_canonical()) {
        Ok(std::net::IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => address.to_owned(),
    }
}

impl SessionList {
    /// From the data file alone: also those that were idle too long, which only the daemon's settings tell.
    pub fn read(store: &store::Store, now: Micros) -> Result<Self, AccountError> {
        let sessions = store.sessions()?.into_iter().filter(|session| now < session.expires_at);
        Ok(Self { sessions: sessions.map(SessionRow::from).collect(), next: None })
    }
}
