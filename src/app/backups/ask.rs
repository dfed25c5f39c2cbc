use super::{Backups, BackupsError};
use crate::app::answers::backups::AttemptAnswer;
use crate::app::change::once;
use crate::backup;
use crate::domain::access::{Actor, Grant};
use crate::domain::audit::AuditEntry;
use crate::domain::backup::{Attempt, AttemptKind, BackupId};
use crate::domain::request_key::RequestKey;
use crate::domain::role::Role;
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// The longest reason.
pub const WHY_BYTES: usize = 1_000;

/// The longest place elsewhere.
const TO_BYTES: usize = 1_024;

/// Attempts that may wait. Each backup is verified at most once at a time, so only a large directory gets there.
const WAITING: usize = 100;

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub grant: Grant,
    /// Why; may be empty.
    pub why: String,
    /// Where it is copied to as well, if not where it is copied to anyway.
    pub to: Option<String>,
    /// The request's own name.
    pub key: Option<RequestKey>,
    /// When.
    pub now: Micros,
}

impl Backups {
    /// Asks for a backup. While one is under way, it is that one. Blocks.
    pub fn make(&self, asked: &Asked) -> Result<AttemptAnswer, BackupsError> {
        let why = checked(&asked.why)?;
        let places = self.destinations(asked)?;
        let request = format!("backup.create to {:?}: {why}", asked.to);
        let answer = self.store.write::<_, BackupsError>(|txn| {
            once(txn, asked.key.as_ref(), &request, asked.now, || {
                let open = open_attempts(txn)?;
                let (mut attempt, joined) = match open.into_iter().find(|attempt| attempt.kind == AttemptKind::Make) {
                    Some(attempt) => (attempt, true),
                    None => {
                        let number = txn.next_backup_attempt()?;
                        (Attempt::asked(number, AttemptKind::Make, &asked.actor.name, why, asked.now), false)
                    }
                };
                places.iter().for_each(|place| attempt.copy_to(place));
                txn.put_backup_attempt(&attempt)?;
                let action = if joined { "backup.join" } else { "backup.create" };
                txn.audit(AuditEntry::done(asked.now, &asked.actor, action, subject(&attempt), why))?;
                Ok(AttemptAnswer { joined, ..AttemptAnswer::from(&attempt) })
            })
        })?;
        self.asked.notify_one();
        self.happened();
        Ok(answer)
    }

    /// Asks for another look at a backup that is there. Blocks.
    pub fn verify(&self, id: BackupId, asked: &Asked) -> Result<AttemptAnswer, BackupsError> {
        let why = checked(&asked.why)?;
        if !backup::list(&self.place)?.iter().any(|found| found.id == id) {
            return Err(BackupsError::Unknown(id));
        }
        let request = format!("backup.verify {id}: {why}");
        let answer = self.store.write::<_, BackupsError>(|txn| {
            once(txn, asked.key.as_ref(), &request, asked.now, || {
                let open = open_attempts(txn)?;
                let waiting = open.len();
                let same = |attempt: &Attempt| attempt.kind == AttemptKind::Verify && attempt.backup == Some(id);
                if let Some(attempt) = open.into_iter().find(same) {
                    return Ok(AttemptAnswer { joined: true, ..AttemptAnswer::from(&attempt) });
                }
                if waiting >= WAITING {
                    return Err(BackupsError::Crowded(waiting));
                }
                let number = txn.next_backup_attempt()?;
                let mut attempt = Attempt::asked(number, AttemptKind::Verify, &asked.actor.name, why, asked.now);
                attempt.backup = Some(id);
                txn.put_backup_attempt(&attempt)?;
                txn.audit(AuditEntry::done(asked.now, &asked.actor, "backup.verify", subject(&attempt), why))?;
                Ok(AttemptAnswer::from(&attempt))
            })
        })?;
        self.asked.notify_one();
        self.happened();
        Ok(answer)
    }

    /// Where a backup that is asked for is copied to: where every one is, and where they say.
    fn destinations(&self, asked: &Asked) -> Result<Vec<String>, BackupsError> {
        let usual = self.copied_to().into_iter();
        let Some(to) = &asked.to else { return Ok(usual.collect()) };
        let bad = |why: String| BackupsError::Bad { field: "to", why };
        if to.len() > TO_BYTES {
            return Err(bad(format!("is longer than {TO_BYTES} bytes")));
        }
        let Some(remote) = &self.remote else {
            return Err(bad(
                "no store elsewhere is configured: say in [backup.s3] where it is and who we are there".into()
            ));
        };
        let to = remote.check(to).map_err(bad)?;
        // A backup holds what everybody's passwords are checked with: only who may have it may say where it goes.
        if to != remote.place() && !asked.grant.allows(Role::Admin, None) {
            return Err(BackupsError::Forbidden(
                "only an admin sends a backup elsewhere than where every backup is copied to",
            ));
        }
        Ok(usual.chain([to]).collect())
    }
}

/// Those that are not over, the oldest first.
pub(super) fn open_attempts(txn: &WriteTxn) -> Result<Vec<Attempt>, StoreError> {
    // They are carried out in order, so behind one that is over there is no open one.
    let mut open = txn.newest_backup_attempts(|attempt| !attempt.state.is_over())?;
    open.reverse();
    Ok(open)
}

/// What the audit log calls it.
pub(super) fn subject(attempt: &Attempt) -> String {
    match (attempt.kind, attempt.backup) {
        (_, Some(id)) => format!("backup {id}"),
        (_, None) => format!("backup attempt {}", attempt.number),
    }
}

fn checked(why: &str) -> Result<&str, BackupsError> {
    let why = why.trim();
    if why.len() > WHY_BYTES {
        return Err(BackupsError::Bad { field: "why", why: format!("use at most {WHY_BYTES} bytes") });
    }
    Ok(why)
}
