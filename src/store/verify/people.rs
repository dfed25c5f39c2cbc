//! Users, their sessions and tokens, and the log of what they did.

use std::collections::BTreeSet;

use super::super::schema::{AUDIT, SESSIONS, TOKENS, USERS};
use super::super::sessions::Session;
use super::super::tokens::Token;
use super::super::users::User;
use super::super::{StoreError, codec};
use super::walk::{Walk, decode, must, plain, refers};
use crate::domain::audit::{AuditRecord, Broken, Head, Verifier};
use crate::domain::backup::{AuditAt, Part};
use crate::domain::model::Digest;

/// SHA-256.
const FINGERPRINT: usize = 32;

/// What was seen of people and programs.
#[derive(Default)]
pub(super) struct Seen {
    users: BTreeSet<String>,
    tokens: BTreeSet<String>,
    /// The audit log's end, as the file keeps it.
    head: Head,
}

impl Seen {
    pub(super) fn head(&mut self, head: Head) {
        self.head = head;
    }

    pub(super) fn names(self) -> (Vec<String>, Vec<String>) {
        (self.users.into_iter().collect(), self.tokens.into_iter().collect())
    }
}

pub(super) fn users(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("users", USERS, |name, row| {
        let user: User = decode(row)?;
        must(user.name.as_str() == name, "the record is that of another user")?;
        seen.users.insert(name.to_owned());
        Ok(())
    })
}

pub(super) fn sessions(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("sessions", SESSIONS, |print, row| {
        let session: Session = decode(row)?;
        must(print.len() == FINGERPRINT, "its key is no fingerprint")?;
        refers(seen.users.contains(session.user.as_str()), || format!("there is no user {}", session.user))
    })
}

pub(super) fn tokens(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("tokens", TOKENS, |print, row| {
        let token: Token = decode(row)?;
        must(print.len() == FINGERPRINT, "its key is no fingerprint")?;
        seen.tokens.insert(token.name.as_str().to_owned());
        Ok(())
    })
}

pub(super) fn audit(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut verifier = Verifier::default();
    let mut broken: Option<Broken> = None;
    walk.each("audit", AUDIT, |seq, row| {
        if broken.is_none() {
            let record = codec::decode::<AuditRecord>(row).map_err(plain);
            broken = verifier.next(seq, record.as_ref().map_err(Clone::clone)).err();
        }
        Ok(())
    })?;
    // Behind the first break nothing can be said.
    match broken.map_or_else(|| verifier.finish(seen.head), Err) {
        Ok(head) => walk.report.audit = Some(AuditAt { count: head.count, last: Digest(head.hash.0) }),
        Err(Broken { seq, why }) => walk.fault(Part::Audit, "audit", &seq.to_string(), why),
    }
    Ok(())
}
