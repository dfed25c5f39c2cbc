use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use super::Backups;
use super::finish::resolve;
use crate::backup::{self, Place};
use crate::domain::backup::{Attempt, AttemptState, BackupId, CopyState, Manifest, Trouble};
use crate::domain::rules::Finding;
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// Why a backup did not get elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct CopyFailure {
    /// In words, with what to do.
    pub why: String,
    /// Whether the same may succeed a little later.
    pub may_pass: bool,
}

/// What is under way.
pub type Copying<'a> = Pin<Box<dyn Future<Output = Result<(), CopyFailure>> + Send + 'a>>;

/// Where backups are copied to: a store elsewhere.
pub trait RemotePlace: Send + Sync {
    /// The place that every backup is copied to, as people write it.
    fn place(&self) -> String;

    /// The place that `to` names, in its one way of writing; what is wrong with it otherwise.
    fn check(&self, to: &str) -> Result<String, String>;

    /// Copies a whole backup of `from` to the place `to`, and removes what retention wants no more there. Those that are
    /// known to be `damaged` stand in for no other; where nobody knows which are, nothing is removed.
    fn copy<'a>(
        &'a self,
        from: &'a Place,
        manifest: &'a Manifest,
        to: &'a str,
        damaged: Option<&'a BTreeSet<BackupId>>,
    ) -> Copying<'a>;
}

/// How long to wait before a copy is tried again, each request of which is tried for a minute and more; when there is no
/// pause left it is given up.
#[derive(Clone, Debug)]
pub struct Pauses(pub Vec<Duration>);

impl Default for Pauses {
    fn default() -> Self {
        Self([60, 300, 900].map(Duration::from_secs).to_vec())
    }
}

/// A copy that is on its way.
struct Way {
    attempt: u64,
    backup: Option<BackupId>,
    to: String,
}

/// Whether a backup is whole and still to be copied somewhere.
fn waits(attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Done && attempt.copies.iter().any(|copy| copy.state == CopyState::Waiting)
}

/// The place takes copies again: what is lacking there of `there` is sent now. Only what gets there asks for that, and
/// nothing is sent twice, so this ends.
fn make_up(txn: &WriteTxn, to: &str, there: &BTreeSet<BackupId>) -> Result<(), StoreError> {
    let lacks = |attempt: &Attempt| {
        attempt.made_one()
            && attempt.backup.is_some_and(|id| there.contains(&id))
            && attempt.copy_at(to).is_none_or(|copy| copy.state == CopyState::Failed)
    };
    for mut attempt in txn.newest_backup_attempts(|_| true)?.into_iter().filter(lacks) {
        attempt.copies.retain(|copy| copy.to != to);
        attempt.copy_to(to);
        txn.put_backup_attempt(&attempt)?;
    }
    Ok(())
}

impl Backups {
    /// Copies elsewhere what waits for that, one backup after the other. Ends when nothing waits.
    pub async fn copy_to_remote(&self, now: &(dyn Fn() -> Micros + Sync)) -> Result<(), StoreError> {
        while let Some(way) = self.begin_copy()? {
            let ended = self.copy_with_patience(&way, now).await;
            self.live().copy_trouble = None;
            self.end_copy(&way, ended, now())?;
        }
        Ok(())
    }

    fn begin_copy(&self) -> Result<Option<Way>, StoreError> {
        if !self.store.backup_attempts(u64::MAX, usize::MAX)?.iter().any(waits) {
            return Ok(None);
        }
        let begun = self.store.write::<_, StoreError>(|txn| {
            let oldest = txn.newest_backup_attempts(|_| true)?.into_iter().rfind(waits);
            let Some(mut attempt) = oldest else { return Ok(None) };
            let waiting = attempt.copies.iter_mut().find(|copy| copy.state == CopyState::Waiting);
            let Some(copy) = waiting else { return Ok(None) };
            copy.state = CopyState::Running;
            let to = copy.to.clone();
            txn.put_backup_attempt(&attempt)?;
            Ok(Some(Way { attempt: attempt.number, backup: attempt.backup, to }))
        })?;
        self.happened();
        Ok(begun)
    }

    /// How often it was tried, and what came of it.
    async fn copy_with_patience(
        &self,
        Way { backup, to, .. }: &Way,
        now: &(dyn Fn() -> Micros + Sync),
    ) -> (u32, Result<(), CopyFailure>) {
        let failed = |why: &str| Err(CopyFailure { why: why.to_owned(), may_pass: false });
        let (Some(remote), Some(id)) = (&self.remote, *backup) else {
            return (0, failed("no store elsewhere is configured any more: [backup.s3]"));
        };
        let place = self.place.clone();
        let listed = tokio::task::spawn_blocking(move || backup::list(&place)).await;
        let listed = match listed {
            Ok(Ok(listed)) => listed,
            Ok(Err(error)) => return (0, failed(&error.to_string())),
            Err(error) => return (0, failed(&error.to_string())),
        };
        let manifest = match listed.into_iter().find(|found| found.id == id).map(|found| found.manifest) {
            Some(Ok(manifest)) => manifest,
            Some(Err(why)) => return (0, failed(&format!("the backup itself is not whole: {why}"))),
            None => return (0, failed("the backup itself is no longer there")),
        };
        let mut tries = 0;
        loop {
            let damaged = self.known_damaged(now()).ok();
            let tried = remote.copy(&self.place, &manifest, to, damaged.as_ref()).await;
            tries += 1;
            match (tried, self.pauses.0.get(tries as usize - 1)) {
                (Err(failure), Some(pause)) if failure.may_pass => {
                    tracing::warn!(to, "backup {id} could not be copied, try {tries}: {failure}");
                    self.report_copy_trouble(to, &failure);
                    tokio::time::sleep(*pause).await;
                }
                (tried, _) => return (tries, tried),
            }
        }
    }

    fn report_copy_trouble(&self, to: &str, failure: &CopyFailure) {
        let trouble = format!("a copy to {to} fails: {failure}");
        if let Some(status) = &self.copy_status {
            status.warn(trouble.clone(), "it is tried again by itself");
        }
        self.live().copy_trouble = Some(trouble);
    }

    /// The backups that are here and good, as far as is known. Where that cannot be told, none: a later copy asks again.
    fn worth_sending(&self, now: Micros) -> BTreeSet<BackupId> {
        let (Ok(found), Ok(damaged)) = (backup::list(&self.place), self.known_damaged(now)) else {
            return BTreeSet::new();
        };
        let readable = found.into_iter().filter(backup::Found::is_readable);
        readable.map(|found| found.id).filter(|id| !damaged.contains(id)).collect()
    }

    fn end_copy(
        &self,
        Way { attempt: number, to, .. }: &Way,
        (tries, ended): (u32, Result<(), CopyFailure>),
        now: Micros,
    ) -> Result<(), StoreError> {
        let usual = self.copied_to();
        let good = ended.is_ok() && Some(to) == usual.as_ref();
        let there = if good { self.worth_sending(now) } else { BTreeSet::new() };
        self.store.write::<_, StoreError>(|txn| {
            let Some(mut attempt) = txn.backup_attempt(*number)? else { return Ok(()) };
            let id = attempt.backup;
            let Some(copy) = attempt.copies.iter_mut().find(|copy| copy.to == *to) else { return Ok(()) };
            copy.tries = copy.tries.saturating_add(tries);
            copy.ended_at = Some(now);
            copy.error = ended.as_ref().err().map(ToString::to_string);
            copy.state = if ended.is_ok() { CopyState::Done } else { CopyState::Failed };
            txn.put_backup_attempt(&attempt)?;
            // Who names another place waits for it, and is told so.
            if Some(to) != usual.as_ref() {
                return Ok(());
            }
            match (&ended, id) {
                (Ok(()), Some(id)) => {
                    make_up(txn, to, &there)?;
                    resolve(txn, Trouble::NotCopied, None, &format!("backup {id} is at {to}"), now)
                }
                (Err(failure), Some(id)) => {
                    let mut since = None;
                    let is = |earlier: &Attempt, state| earlier.copy_at(to).is_some_and(|copy| copy.state == state);
                    let copied = |earlier: &Attempt| is(earlier, CopyState::Done);
                    let in_a_row = txn.newest_backup_attempts(|earlier| {
                        since = copied(earlier).then_some(earlier.backup).flatten();
                        !copied(earlier)
                    })?;
                    let count = in_a_row.iter().filter(|earlier| is(earlier, CopyState::Failed)).count() as u64;
                    let reason = format!("Backup {id} is not at {to}: {failure}");
                    let raise = Trouble::NotCopied.raise(since, reason, count, now);
                    txn.apply_findings(&[Finding::Raise(raise)], now)
                }
                (_, None) => Ok(()),
            }
        })?;
        let metrics = &self.metrics.backups;
        match &ended {
            Ok(()) => metrics.copied(now),
            Err(failure) if usual.is_none() => {
                tracing::info!(attempt = number, to, "the backup is not copied: {failure}");
            }
            Err(failure) => {
                metrics.copy_failures.inc();
                tracing::error!(attempt = number, to, "the backup was not copied elsewhere: {failure}");
            }
        }
        self.happened();
        Ok(())
    }
}
