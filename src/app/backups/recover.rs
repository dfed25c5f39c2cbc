//! What was under way when the daemon ended.

use std::collections::BTreeSet;

use super::ask::{open_attempts, subject};
use super::finish::{came_to_nothing, made, own, own_name};
use super::{Backups, BackupsError};
use crate::backup;
use crate::domain::audit::AuditEntry;
use crate::domain::backup::{Attempt, AttemptKind, AttemptState, BackupId, CopyState, Manifest};
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// What an attempt that was under way came to.
const ENDED: &str = "the daemon ended before it did";

impl Backups {
    /// At the start: what was under way when the daemon ended is over. A backup that was whole by then is one, and one that
    /// was not is made once more; if that does not end either, somebody is told. Blocks.
    pub fn recover(&self, now: Micros) -> Result<(), BackupsError> {
        let whole = self.made_here();
        let again = self.store.write::<_, StoreError>(|txn| {
            let again = end_what_ran(txn, &whole, now)?;
            begin_copies_anew(txn)?;
            if let Some(interrupted) = &again {
                self.make_once_more(txn, interrupted, now)?;
            }
            Ok(again)
        })?;
        if let Some(Attempt { number, .. }) = again {
            tracing::info!(attempt = number, "a backup was interrupted by the daemon's end: it is made once more");
        }
        self.asked.notify_one();
        self.to_copy.notify_one();
        Ok(())
    }

    /// The whole backups of this machine, each with the model's file that it lacks first. One that was brought here is
    /// somebody else's. Where the directory cannot be read nothing is known to be whole there.
    fn made_here(&self) -> Vec<(Manifest, Option<String>)> {
        let found = backup::list(&self.place).unwrap_or_default();
        let whole = found.into_iter().filter_map(|found| found.manifest.ok());
        let ours = whole.filter(|manifest| manifest.host == self.host);
        ours.map(|manifest| (self.first_lacking(&manifest), manifest))
            .map(|(lacks, manifest)| (manifest, lacks))
            .collect()
    }

    /// Asks for a backup in the place of the one that was interrupted, unless somebody has asked for one.
    fn make_once_more(&self, txn: &WriteTxn, interrupted: &Attempt, now: Micros) -> Result<(), StoreError> {
        if open_attempts(txn)?.iter().any(|attempt| attempt.kind == AttemptKind::Make) {
            return Ok(());
        }
        let why = format!("attempt {} was interrupted by the daemon's end", interrupted.number);
        let number = txn.next_backup_attempt()?;
        let mut attempt = Attempt::asked(number, AttemptKind::Make, &own_name(), &why, now);
        // Whoever named a place waits for the copy there.
        let named = interrupted.copies.iter().map(|copy| copy.to.clone());
        self.copied_to().into_iter().chain(named).for_each(|place| attempt.copy_to(&place));
        txn.put_backup_attempt(&attempt)?;
        txn.audit(AuditEntry::done(now, &own(), "backup.create", subject(&attempt), why))
    }
}

/// Ends the attempts that were under way; the one that is to be made again. One that was that already is not: a backup that
/// kills the daemon does so twice at most.
fn end_what_ran(
    txn: &WriteTxn,
    whole: &[(Manifest, Option<String>)],
    now: Micros,
) -> Result<Option<Attempt>, StoreError> {
    let mut again = None;
    let is_running = |attempt: &Attempt| attempt.state == AttemptState::Running;
    for mut attempt in open_attempts(txn)?.into_iter().filter(is_running) {
        if let Some((manifest, lacks)) = made_by(txn, &attempt, whole)? {
            made(txn, &mut attempt, manifest, lacks.as_deref(), None, now)?;
        } else if attempt.kind == AttemptKind::Make && attempt.by != own_name() {
            attempt.end(AttemptState::Interrupted, Some(ENDED.to_owned()), now);
            again = Some(attempt.clone());
        } else {
            came_to_nothing(txn, &mut attempt, AttemptState::Interrupted, ENDED, now)?;
        }
        txn.put_backup_attempt(&attempt)?;
    }
    Ok(again)
}

/// The backup that an attempt had made when the daemon ended: one from after its beginning that no attempt is known for.
fn made_by<'a>(
    txn: &WriteTxn,
    attempt: &Attempt,
    whole: &'a [(Manifest, Option<String>)],
) -> Result<Option<&'a (Manifest, Option<String>)>, StoreError> {
    let (AttemptKind::Make, Some(begun)) = (attempt.kind, attempt.begun_at) else { return Ok(None) };
    let known: BTreeSet<BackupId> = txn
        .newest_backup_attempts(|_| true)?
        .into_iter()
        .filter(Attempt::made_one)
        .filter_map(|attempt| attempt.backup)
        .collect();
    // Manifests have milliseconds.
    let since = |manifest: &Manifest| manifest.taken_at.millis() >= begun.millis();
    Ok(whole.iter().find(|(manifest, _)| since(manifest) && !known.contains(&manifest.id)))
}

/// A copy that was on its way is begun anew: what is there already is not sent again.
fn begin_copies_anew(txn: &WriteTxn) -> Result<(), StoreError> {
    for mut attempt in txn.newest_backup_attempts(|_| true)? {
        let running = attempt.copies.iter_mut().filter(|copy| copy.state == CopyState::Running);
        let were_running = running.map(|copy| copy.state = CopyState::Waiting).count() > 0;
        if were_running {
            txn.put_backup_attempt(&attempt)?;
        }
    }
    Ok(())
}
