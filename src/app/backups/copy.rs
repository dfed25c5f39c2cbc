use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Duration;

use super::Backups;
use super::ask::open_attempts;
use super::finish::{look_again, resolve};
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
    /// Whether it is the backup here that cannot be read, or is not what it was.
    pub ours: bool,
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
#[derive(Clone, Debug)]
struct Way {
    attempt: u64,
    backup: Option<BackupId>,
    to: String,
}

/// How a backup is there.
enum Here {
    /// As far as its words say.
    Whole(Box<Manifest>),
    /// It is not whole; why.
    Not(String),
    /// It is gone, and a newer one is there: nobody misses it.
    Superseded,
    /// It is gone, and should not be.
    Gone,
}

/// What came of a copy.
#[derive(Clone, Debug)]
struct Outcome {
    tries: u32,
    /// `None` where there is nothing to copy any more: retention has removed the backup meanwhile.
    ended: Option<Result<(), CopyFailure>>,
}

/// A copy that is over.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    way: Way,
    outcome: Outcome,
    at: Micros,
}

impl Ended {
    /// Says so in the attempt, as far as it is about it.
    pub(super) fn show(&self, attempt: &mut Attempt) {
        let Self { way: Way { attempt: number, to, .. }, outcome: Outcome { tries, ended }, at } = self;
        if attempt.number != *number {
            return;
        }
        let Some(ended) = ended else { return attempt.copies.retain(|copy| copy.to != *to) };
        if let Some(copy) = attempt.copies.iter_mut().find(|copy| copy.to == *to) {
            copy.tries = copy.tries.saturating_add(*tries);
            copy.ended_at = Some(*at);
            copy.error = ended.as_ref().err().map(ToString::to_string);
            copy.state = if ended.is_ok() { CopyState::Done } else { CopyState::Failed };
        }
    }
}

/// Whether a backup is whole and still to be copied somewhere.
fn waits(attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Done && attempt.copies.iter().any(|copy| !copy.state.is_over())
}

/// The place takes copies again: what is lacking there of `there` is sent now. Only what gets there asks for that, and
/// nothing is sent twice, so this ends. What is being looked through waits for what that finds.
fn make_up(txn: &WriteTxn, to: &str, there: &BTreeSet<BackupId>) -> Result<(), StoreError> {
    let doubted: BTreeSet<_> = open_attempts(txn)?.iter().filter_map(|attempt| attempt.backup).collect();
    let lacks = |attempt: &Attempt| {
        attempt.made_one()
            && attempt.backup.is_some_and(|id| there.contains(&id) && !doubted.contains(&id))
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
    /// Copies to the remote store what waits for that, one backup after the other. Ends when nothing waits. Only one at a time
    /// does this. What cannot be written down of a copy's end is, first of all, when this is called again.
    pub async fn copy_to_remote(&self, now: &(dyn Fn() -> Micros + Sync)) -> Result<(), StoreError> {
        self.write_down_the_copy()?;
        while let Some(way) = self.begin_copy()? {
            let outcome = self.copy_with_patience(&way, now).await;
            let at = now();
            {
                let mut live = self.live();
                live.copy_trouble = None;
                live.ended_copy = Some(Ended { way, outcome, at });
            }
            self.write_down_the_copy()?;
        }
        Ok(())
    }

    fn write_down_the_copy(&self) -> Result<(), StoreError> {
        let Some(ended) = self.live().ended_copy.clone() else { return Ok(()) };
        if let Err(error) = self.end_copy(&ended) {
            let id = ended.way.backup.map_or_else(String::new, |id| id.to_string());
            let trouble = format!("what came of the copy of {id} to {} cannot be written down: {error}", ended.way.to);
            self.live().copy_trouble = Some(trouble);
            self.happened();
            return Err(error);
        }
        let mut live = self.live();
        (live.ended_copy, live.copy_trouble) = (None, None);
        Ok(())
    }

    fn begin_copy(&self) -> Result<Option<Way>, StoreError> {
        if !self.store.backup_attempts(u64::MAX, usize::MAX)?.iter().any(waits) {
            return Ok(None);
        }
        let begun = self.store.write::<_, StoreError>(|txn| {
            // The newest is worth most, and somebody waits for it. One that runs already was left by a task that died.
            let newest = txn.newest_backup_attempts(|_| true)?.into_iter().find(waits);
            let Some(mut attempt) = newest else { return Ok(None) };
            let waiting = attempt.copies.iter_mut().find(|copy| !copy.state.is_over());
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
    async fn copy_with_patience(&self, way: &Way, now: &(dyn Fn() -> Micros + Sync)) -> Outcome {
        let (to, failed) = (&way.to, |why: String, ours| Err(CopyFailure { why, may_pass: false, ours }));
        let at_once = |ended| Outcome { tries: 0, ended };
        let (Some(remote), Some(id)) = (&self.remote, way.backup) else {
            let why = "no store elsewhere is configured any more: [backup.s3]".to_owned();
            return at_once(Some(failed(why, false)));
        };
        let usual = Some(to) == self.copied_to().as_ref();
        let manifest = match self.look_for(id).await {
            Ok(Here::Whole(manifest)) => manifest,
            Ok(Here::Not(why)) => {
                return at_once(Some(failed(format!("the backup itself is not whole: {why}"), true)));
            }
            // Who names another place waits for it there, and is told.
            Ok(Here::Superseded) if usual => return at_once(None),
            Ok(_) => return at_once(Some(failed("the backup itself is no longer there".to_owned(), false))),
            Err(why) => return at_once(Some(failed(why, false))),
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
                // It may have gone under our hands.
                (Err(failure), _) if failure.ours && usual => {
                    let gone = matches!(self.look_for(id).await, Ok(Here::Superseded));
                    return Outcome { tries, ended: (!gone).then_some(Err(failure)) };
                }
                (tried, _) => return Outcome { tries, ended: Some(tried) },
            }
        }
    }

    /// How a backup is there; or why that cannot be told.
    async fn look_for(&self, id: BackupId) -> Result<Here, String> {
        let place = self.place.clone();
        let listed = tokio::task::spawn_blocking(move || backup::list(&place)).await;
        let listed = listed.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let superseded = listed.iter().any(|found| found.is_readable() && found.id > id);
        Ok(match listed.into_iter().find(|found| found.id == id).map(|found| found.manifest) {
            Some(Ok(manifest)) => Here::Whole(Box::new(manifest)),
            Some(Err(why)) => Here::Not(why),
            None if superseded => Here::Superseded,
            None => Here::Gone,
        })
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

    fn end_copy(&self, copy: &Ended) -> Result<(), StoreError> {
        let Ended { way: Way { attempt: number, to, .. }, outcome, at: now } = copy;
        let (usual, now) = (self.copied_to(), *now);
        let Some(ended) = &outcome.ended else {
            return self.store.write::<_, StoreError>(|txn| {
                let Some(mut attempt) = txn.backup_attempt(*number)? else { return Ok(()) };
                copy.show(&mut attempt);
                txn.put_backup_attempt(&attempt)
            });
        };
        let good = ended.is_ok() && Some(to) == usual.as_ref();
        let there = if good { self.worth_sending(now) } else { BTreeSet::new() };
        self.store.write::<_, StoreError>(|txn| {
            let Some(mut attempt) = txn.backup_attempt(*number)? else { return Ok(()) };
            let id = attempt.backup;
            copy.show(&mut attempt);
            txn.put_backup_attempt(&attempt)?;
            if let (Err(failure), Some(id)) = (ended, id)
                && failure.ours
            {
                // That says what is wrong with it, and that it is not to be sent any more.
                look_again(txn, &BTreeMap::from([(id, format!("it cannot be copied: {failure}"))]), now)?;
            }
            // Who names another place waits for it, and is told so.
            if Some(to) != usual.as_ref() {
                return Ok(());
            }
            match (ended, id) {
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
        match ended {
            Ok(()) => metrics.copied(now),
            Err(failure) if usual.is_none() => {
                tracing::info!(attempt = number, to, "the backup is not copied: {failure}");
            }
            Err(failure) => {
                metrics.copy_failures.inc();
                tracing::error!(attempt = number, to, "the backup was not copied elsewhere: {failure}");
            }
        }
        self.asked.notify_one();
        self.happened();
        Ok(())
    }
}
