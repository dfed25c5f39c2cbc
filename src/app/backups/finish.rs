use std::collections::BTreeMap;

use super::Backups;
use super::ask::{open_attempts, subject};
use super::lacking::files_of_models;
use super::run::{Came, NewBackup};
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::backup::{Attempt, AttemptKind, AttemptState, BackupId, Manifest, Report, Stage, Trouble};
use crate::domain::intent::{BY_RULE, Note};
use crate::domain::rules::Finding;
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// An attempt that was carried out, and what came of it.
#[derive(Debug)]
pub struct Finished {
    number: u64,
    came: Came,
    at: Micros,
}

impl Backups {
    /// Carries out an attempt that was begun. Nothing is written down yet. Blocks, for as long as it takes.
    pub fn carry(&self, number: u64, now: &dyn Fn() -> Micros) -> Finished {
        let came = match self.store.backup_attempt(number) {
            Ok(Some(attempt)) => self.carry_out(&attempt, now()),
            Ok(None) => Came::Nothing("it is not in the data file".to_owned()),
            Err(error) => Came::Nothing(error.to_string()),
        };
        Finished { number, came, at: now() }
    }

    /// Writes down what came of an attempt, and what follows from it: the record, the audit log, who is told. A full disk
    /// refuses that; it is to be tried again then. Blocks.
    pub fn finish(&self, finished: &Finished) -> Result<(), StoreError> {
        let Finished { number, came, at } = finished;
        let written = self.store.write::<_, StoreError>(|txn| {
            let Some(mut attempt) = txn.backup_attempt(*number)?.filter(|attempt| !attempt.state.is_over()) else {
                return Ok(None);
            };
            match came {
                Came::Made(new) => {
                    let NewBackup { manifest, lacks, notes, to_verify } = new.as_ref();
                    made(txn, &mut attempt, manifest, lacks.as_deref(), notes.clone(), *at)?;
                    look_again(txn, to_verify, *at)?;
                }
                // That it could not be looked through says nothing of the backup.
                Came::Nothing(why) if attempt.kind == AttemptKind::Verify => {
                    came_to_nothing(txn, &mut attempt, AttemptState::Inconclusive, why, *at)?;
                }
                Came::Nothing(why) => came_to_nothing(txn, &mut attempt, AttemptState::Failed, why, *at)?,
                Came::Whole(report) => looked_at(txn, &mut attempt, report, *at)?,
                Came::Damaged(report) => damaged(txn, &mut attempt, report, *at)?,
            }
            txn.put_backup_attempt(&attempt)?;
            Ok(Some(attempt))
        });
        let written = written.inspect_err(|error| self.live().unwritten = Some(error.to_string()))?;
        {
            let mut live = self.live();
            live.running = None;
            live.unwritten = None;
        }
        if let Some(attempt) = written {
            self.count(&attempt);
            tell(&attempt);
        }
        self.asked.notify_one();
        self.to_copy.notify_one();
        self.happened();
        Ok(())
    }

    /// What Prometheus is told of it.
    fn count(&self, attempt: &Attempt) {
        let metrics = &self.metrics.backups;
        if attempt.made_none() {
            metrics.failures.inc();
        }
        if attempt.made_one() {
            metrics.made(attempt);
        }
    }
}

/// Who backups are made by where nobody asked.
pub(super) fn own() -> Actor {
    Actor::own("backups")
}

pub(super) fn own_name() -> String {
    own().name
}

/// Writes down a backup; `lacks` is the model's file that it lacks first, in words.
pub(super) fn made(
    txn: &WriteTxn,
    attempt: &mut Attempt,
    manifest: &Manifest,
    lacks: Option<&str>,
    notes: Option<String>,
    at: Micros,
) -> Result<(), StoreError> {
    attempt.backup = Some(manifest.id);
    attempt.bytes = manifest.data.size;
    attempt.rows = manifest.tables.values().sum();
    attempt.events = manifest.feed.kept;
    attempt.lacking = manifest.lacking.len() as u64;
    attempt.stage = Some(Stage::Prune);
    attempt.end(AttemptState::Done, notes, at);
    for trouble in Trouble::UNTIL_THE_NEXT {
        resolve(txn, trouble, None, &format!("backup {} is whole", manifest.id), at)?;
    }
    tell_of_lacking(txn, manifest, lacks, at)?;
    let told = format!("asked for by {}", attempt.by);
    txn.audit(AuditEntry::done(at, &own(), "backup.made", subject(attempt), told))
}

/// Tells that a backup lacks models' files, or that the newest has all of them again.
fn tell_of_lacking(txn: &WriteTxn, manifest: &Manifest, lacks: Option<&str>, at: Micros) -> Result<(), StoreError> {
    let (id, count) = (manifest.id, manifest.lacking.len());
    let Some(first) = lacks.filter(|_| count > 0) else {
        return resolve(txn, Trouble::Incomplete, None, &format!("backup {id} has all files of models"), at);
    };
    let mut since = None;
    txn.newest_backup_attempts(|earlier| {
        since = earlier.made_a_complete_one().then_some(earlier.backup).flatten();
        !earlier.made_a_complete_one()
    })?;
    let files = files_of_models(count as u64);
    let reason = format!("Backup {id} lacks {files}, which could not be read; the first is {first}");
    let raise = Trouble::Incomplete.raise(since, reason, count as u64, at);
    txn.apply_findings(&[Finding::Raise(raise)], at)
}

/// Asks for a whole look at these backups: that says what is wrong with each, or that nothing is, and tells somebody.
pub(super) fn look_again(txn: &WriteTxn, wanted: &BTreeMap<BackupId, String>, at: Micros) -> Result<(), StoreError> {
    let open = open_attempts(txn)?;
    let asked = |id| open.iter().any(|attempt| attempt.kind == AttemptKind::Verify && attempt.backup == Some(id));
    for (id, why) in wanted.iter().filter(|(id, _)| !asked(**id)) {
        let mut attempt = Attempt::asked(txn.next_backup_attempt()?, AttemptKind::Verify, &own_name(), why, at);
        attempt.backup = Some(*id);
        txn.put_backup_attempt(&attempt)?;
        txn.audit(AuditEntry::done(at, &own(), "backup.verify", subject(&attempt), why.as_str()))?;
    }
    Ok(())
}

pub(super) fn came_to_nothing(
    txn: &WriteTxn,
    attempt: &mut Attempt,
    state: AttemptState,
    why: &str,
    at: Micros,
) -> Result<(), StoreError> {
    attempt.end(state, Some(why.to_owned()), at);
    txn.audit(AuditEntry::done(at, &own(), "backup.failed", subject(attempt), why))?;
    if attempt.kind != AttemptKind::Make {
        return Ok(());
    }
    let mut since = None;
    let in_a_row = txn.newest_backup_attempts(|earlier| {
        since = earlier.made_one().then_some(earlier.backup).flatten();
        !earlier.made_one()
    })?;
    // This one among them, which the file does not have as failed yet.
    let count = in_a_row.iter().filter(|earlier| earlier.made_none()).count() as u64 + 1;
    let raise = Trouble::Failed.raise(since, format!("The backup failed: {why}"), count, at);
    txn.apply_findings(&[Finding::Raise(raise)], at)
}

fn looked_at(txn: &WriteTxn, attempt: &mut Attempt, report: &Report, at: Micros) -> Result<(), StoreError> {
    (attempt.bytes, attempt.rows, attempt.events) = (report.bytes, report.records, report.events);
    attempt.end(AttemptState::Done, None, at);
    let Some(id) = attempt.backup else { return Ok(()) };
    resolve(txn, Trouble::Damaged, Some(id), &format!("backup {id} was found whole"), at)
}

fn damaged(txn: &WriteTxn, attempt: &mut Attempt, report: &Report, at: Micros) -> Result<(), StoreError> {
    (attempt.bytes, attempt.rows, attempt.events) = (report.bytes, report.records, report.events);
    let first =
        report.findings.first().map_or_else(String::new, |finding| format!("{}: {}", finding.what, finding.why));
    let more = report.findings.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let why = format!("it is not whole: {first}{more}");
    attempt.mendable = report.is_of_models_files_only();
    attempt.end(AttemptState::Failed, Some(why.clone()), at);
    txn.audit(AuditEntry::done(at, &own(), "backup.damaged", subject(attempt), why.clone()))?;
    let Some(id) = attempt.backup else { return Ok(()) };
    let raise = Trouble::Damaged.raise(Some(id), format!("Backup {id} cannot be relied on: {why}"), 1, at);
    txn.apply_findings(&[Finding::Raise(raise)], at)
}

/// Resolves the intents of this trouble, or the one about `id`. What somebody resolved by hand stands.
pub(super) fn resolve(
    txn: &WriteTxn,
    trouble: Trouble,
    id: Option<BackupId>,
    why: &str,
    at: Micros,
) -> Result<(), StoreError> {
    for mut intent in txn.unresolved_of(trouble.rule())? {
        let about = id.is_none_or(|id| intent.key.window == id.to_string());
        let note = Note { by: BY_RULE.to_owned(), why: why.to_owned(), at };
        if about && intent.resolve(note).is_ok() {
            txn.put_intent(&intent)?;
        }
    }
    Ok(())
}

/// One line in the log for what an attempt came to.
fn tell(attempt: &Attempt) {
    let Attempt { number, bytes, rows, .. } = attempt;
    let id = attempt.backup.map_or_else(String::new, |id| id.to_string());
    match (attempt.kind, attempt.state) {
        (AttemptKind::Make, AttemptState::Done) => {
            tracing::info!(attempt = number, id, bytes, rows, "a backup was made and verified");
        }
        (AttemptKind::Verify, AttemptState::Done) => tracing::info!(attempt = number, id, "the backup is whole"),
        (AttemptKind::Verify, AttemptState::Inconclusive) => {
            let why = attempt.error.as_deref().unwrap_or_default();
            tracing::warn!(attempt = number, id, "the backup could not be looked through: {why}");
        }
        _ => {
            let why = attempt.error.as_deref().unwrap_or_default();
            tracing::error!(attempt = number, id, "the backup failed: {why}");
        }
    }
}
