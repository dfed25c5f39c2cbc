//! Sessions that the data file had no room for.
//!
//! A full disk is when somebody has to look at the pages, so whoever shows the right password then is signed in all the
//! same: the session is held in memory, and written, with its audit record, once there is room. Until then it ends with the
//! process. Nothing else is let past a full disk.

use super::{AccountError, Accounts, lock};
use crate::domain::access::Actor;
use crate::domain::account::Fingerprint;
use crate::domain::audit::AuditEntry;
use crate::domain::id::SessionId;
use crate::domain::time::Micros;
use crate::store::{Session, StoreError, User};

/// How many are held at most: each cost the computation of a password's hash, and an operator needs one.
const MOST: usize = 16;

/// The action of signing in.
pub(super) const SIGN_IN: &str = "sign-in";

/// A session that waits for room.
pub(super) struct Unwritten {
    print: Fingerprint,
    /// With a number that the file never gives: it gets one of the file's when it is written.
    session: Session,
    actor: Actor,
    /// The hash of the password that was shown: with another password it has ended.
    password_hash: String,
    /// Whether it has ended before it was written, and who ended it.
    ended: Option<(Actor, String, Micros)>,
}

impl Accounts {
    /// Holds a session that could not be written. None where too many are held.
    pub(super) fn hold(&self, print: Fingerprint, session: Session, actor: Actor, user: &User) -> Option<SessionId> {
        let mut held = lock(&self.unwritten);
        if held.len() >= MOST {
            return None;
        }
        let lowest = held.iter().map(|held| held.session.id.0).min().unwrap_or(u64::MAX);
        let id = SessionId(lowest - 1);
        let session = Session { id, ..session };
        tracing::warn!(
            user = %session.user, address = %session.address,
            "the disk is full: a user who signed in has a session in memory only, until there is room"
        );
        held.push(Unwritten { print, session, actor, password_hash: user.password_hash.clone(), ended: None });
        Some(id)
    }

    /// The held session of that secret, if its user still has the same password.
    pub(super) fn held(&self, print: &Fingerprint) -> Result<Option<Session>, AccountError> {
        let found = {
            let held = lock(&self.unwritten);
            let found = held.iter().find(|held| held.print == *print && held.ended.is_none());
            found.map(|held| (held.session.clone(), held.password_hash.clone()))
        };
        let Some((session, password_hash)) = found else { return Ok(None) };
        let user = self.store.user(&session.user)?;
        Ok(user.filter(|user| user.password_hash == password_hash).map(|_| session))
    }

    /// Every held session that has not ended.
    pub(super) fn all_held(&self) -> Vec<Session> {
        let held = lock(&self.unwritten);
        held.iter().filter(|held| held.ended.is_none()).map(|held| held.session.clone()).collect()
    }

    /// Ends held sessions, which needs no room.
    pub(super) fn end_held(
        &self,
        actor: &Actor,
        action: &str,
        mut ends: impl FnMut(&Session) -> bool,
        now: Micros,
    ) -> Vec<Session> {
        let mut ended = Vec::new();
        for held in lock(&self.unwritten).iter_mut().filter(|held| held.ended.is_none()) {
            if ends(&held.session) {
                held.ended = Some((actor.clone(), action.to_owned(), now));
                ended.push(held.session.clone());
            }
        }
        ended
    }

    /// Writes what is held, each with the record of its sign-in; what ended meanwhile leaves its two records only.
    pub(super) fn write_held(&self) -> Result<(), AccountError> {
        // Nobody signs in or out by a held session while they move: a look in between finds it in one place or in the other.
        let mut held = lock(&self.unwritten);
        if held.is_empty() {
            return Ok(());
        }
        self.store.write(|txn| {
            for held in held.iter() {
                let Unwritten { print, session, actor, password_hash, ended } = held;
                let id = txn.next_session_id()?;
                let subject = format!("session {id}");
                let why = "written later: the disk was full";
                txn.audit(AuditEntry::done(session.created_at, actor, SIGN_IN, subject.clone(), why))?;
                if let Some((by, action, at)) = ended {
                    txn.audit(AuditEntry::done(*at, by, action, subject, format!("of {}", session.user)))?;
                    continue;
                }
                let same = |user: &User| user.password_hash == *password_hash && !user.disabled;
                if let Some(mut user) = txn.user(&session.user)?.filter(same) {
                    user.last_sign_in = user.last_sign_in.max(Some(session.created_at));
                    txn.put_user(&user)?;
                    let last_seen = self.last_seen(session);
                    txn.put_session(print, &Session { id, last_seen, ..session.clone() })?;
                }
            }
            Ok::<_, StoreError>(())
        })?;
        held.clear();
        Ok(())
    }
}
