use super::{AccountError, Accounts, lock, tokens};
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Micros;
use crate::store::StoreError;

/// How often what was used is told to the file, and what has ended goes.
const TIDY: u64 = 60 * Micros::SECOND;

/// How long an expired token stays in the list: who looks why a program fails should find it there.
const EXPIRED: u64 = 30 * Micros::DAY;

impl Accounts {
    /// What has to be done every few seconds: writes sessions that there was no room for, refused attempts that are due and, once a minute, when sessions and
    /// tokens were last used, and removes what has ended.
    pub fn upkeep(&self) -> Result<(), AccountError> {
        let now = (self.clock)();
        self.write_held()?;
        let due = lock(&self.refusals).due(now);
        self.record(due)?;
        {
            let mut next = lock(&self.next_tidy);
            // Beyond a minute ahead only after the clock was set back.
            if now < *next && next.0 - now.0 <= TIDY {
                return Ok(());
            }
            *next = now.plus(TIDY);
        }
        {
            let mut throttle = lock(&self.throttle);
            throttle.accounts.tidy(now);
            throttle.addresses.tidy(now);
        }
        self.note_use()?;
        self.remove_ended(now)
    }

    /// Writes everything that waits: the daemon stops.
    pub fn flush(&self) -> Result<(), AccountError> {
        self.write_held()?;
        let all = lock(&self.refusals).all((self.clock)());
        self.record(all)?;
        self.note_use()
    }

    fn record(&self, entries: Vec<AuditEntry>) -> Result<(), AccountError> {
        if entries.is_empty() {
            return Ok(());
        }
        let written = self.store.write(|txn| {
            for entry in &entries {
                txn.audit(entry.clone())?;
            }
            Ok::<_, StoreError>(())
        });
        if written.is_err() {
            lock(&self.refusals).give_back(entries);
        }
        Ok(written?)
    }

    fn note_use(&self) -> Result<(), AccountError> {
        // Taken as it is, and taken away only once it is written: a session in use must not look idle meanwhile.
        let (sessions, tokens) = {
            let seen = lock(&self.seen);
            (seen.sessions.clone(), seen.tokens.clone())
        };
        if sessions.is_empty() && tokens.is_empty() {
            return Ok(());
        }
        self.store.write(|txn| {
            txn.change_sessions(|session| match sessions.get(&session.id) {
                Some(at) if *at > session.last_seen => {
                    session.last_seen = *at;
                    true
                }
                _ => false,
            })?;
            txn.change_tokens(|token| match tokens.get(&token.id) {
                Some((at, address)) if Some(*at) > token.last_used => {
                    (token.last_used, token.last_address) = (Some(*at), address.clone());
                    true
                }
                _ => false,
            })
        })?;
        let mut seen = lock(&self.seen);
        seen.sessions.retain(|id, at| sessions.get(id) != Some(at));
        seen.tokens.retain(|id, used| tokens.get(id) != Some(used));
        Ok(())
    }

    fn remove_ended(&self, now: Micros) -> Result<(), AccountError> {
        let session_ended = |session: &_| self.has_ended(session, now);
        let token_ended = |token: &crate::store::Token| now >= token.expires_at.plus(EXPIRED);
        if !self.store.sessions()?.iter().any(session_ended) && !self.store.tokens()?.iter().any(token_ended) {
            return Ok(());
        }
        let actor = Actor::daemon();
        self.store.write(|txn| {
            for session in txn.end_sessions(session_ended)? {
                let (subject, why) = (format!("session {}", session.id), format!("of {}", session.user));
                txn.audit(AuditEntry::done(now, &actor, "session.expire", subject, why))?;
            }
            for token in txn.remove_tokens(token_ended)? {
                txn.audit(AuditEntry::done(now, &actor, "token.expire", tokens::about(&token), ""))?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(())
    }
}
