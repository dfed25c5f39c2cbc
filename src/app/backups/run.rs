use std::collections::{BTreeMap, BTreeSet};

use super::lacking::files_of_models;
use super::{Backups, BackupsError, keep, program};
use crate::backup::seal::Recipient;
use crate::backup::{self, Created, Plan, VerifyError};
use crate::domain::backup::{Attempt, AttemptKind, BackupId, Manifest, Report, Stage, Trouble};
use crate::domain::time::Micros;
use crate::observe::panics;
use crate::store::{Store, StoreError};

/// What came of an attempt, before it is written down.
#[derive(Debug)]
pub(super) enum Came {
    /// A backup.
    Made(Box<NewBackup>),
    /// None, and why.
    Nothing(String),
    /// A backup was looked through and is whole.
    Whole(Box<Report>),
    /// It was looked through and is not.
    Damaged(Box<Report>),
}

/// A backup that was made.
#[derive(Debug)]
pub(super) struct NewBackup {
    pub(super) manifest: Manifest,
    /// The model's file that it lacks first, in words.
    pub(super) lacks: Option<String>,
    /// What should be known although it is whole.
    pub(super) notes: Option<String>,
    /// Older ones that were found damaged on the way, and how it showed.
    pub(super) doubted: BTreeMap<BackupId, String>,
}

impl Backups {
    /// Marks the next attempt as begun; which, if there is one. Blocks.
    pub fn begin(&self, now: Micros) -> Result<Option<u64>, StoreError> {
        let waiting = self.store.backup_attempts(u64::MAX, 1)?;
        if waiting.first().is_none_or(|newest| newest.state.is_over()) {
            return Ok(None);
        }
        let begun = self.store.write::<_, StoreError>(|txn| {
            let Some(mut attempt) = super::ask::open_attempts(txn)?.into_iter().next() else { return Ok(None) };
            attempt.begin(now);
            txn.put_backup_attempt(&attempt)?;
            Ok(Some(attempt))
        })?;
        let Some(attempt) = begun else { return Ok(None) };
        self.live().running = Some((attempt.number, None));
        self.happened();
        Ok(Some(attempt.number))
    }

    /// Carries out an attempt that was begun; what came of it is for [`Backups::finish`]. Blocks, for as long as it takes.
    pub(super) fn carry_out(&self, attempt: &Attempt, now: Micros) -> Came {
        let worked = panics::caught_here(|| match (attempt.kind, attempt.backup) {
            (AttemptKind::Make, _) => self.create(attempt.number, now),
            (AttemptKind::Verify, Some(id)) => self.look_through(attempt.number, id),
            (AttemptKind::Verify, None) => Came::Nothing("it names no backup".to_owned()),
        });
        worked.unwrap_or_else(|panic| Came::Nothing(format!("the daemon's own fault: it panicked: {panic}")))
    }

    fn create(&self, number: u64, now: Micros) -> Came {
        let recipients: Result<Vec<Recipient>, _> =
            self.settings.recipients.iter().map(|recipient| recipient.as_str().parse()).collect();
        let recipients = match recipients {
            Ok(recipients) => recipients,
            Err(error) => return Came::Nothing(format!("backup.recipients: {error}")),
        };
        let damaged = match self.known_damaged(now) {
            Ok(damaged) => damaged,
            Err(error) => return Came::Nothing(format!("what is known of older backups cannot be read: {error}")),
        };
        let store: &Store = &self.store;
        let plan = Plan {
            store,
            place: &self.place,
            keep: &keep(&self.settings),
            damaged: &damaged,
            recipients: &recipients,
            host: &self.host,
            program: program(),
            verifier: &self.verifier,
        };
        match backup::create(&plan, now, &|stage| self.at(number, stage)) {
            Ok(created) => {
                let lacks = self.first_lacking(&created.manifest);
                let notes = notes(&created, lacks.as_deref());
                let Created { manifest, doubted, .. } = created;
                Came::Made(Box::new(NewBackup { manifest, lacks, notes, doubted }))
            }
            Err(error) => Came::Nothing(error.to_string()),
        }
    }

    /// The backups that somebody has looked through and found damaged: by what attempts say, and, of those that are
    /// forgotten, by what is still open.
    pub(super) fn known_damaged(&self, now: Micros) -> Result<BTreeSet<BackupId>, BackupsError> {
        let standing = self.standing(now)?;
        let mut damaged: BTreeSet<BackupId> =
            standing.kept.iter().flatten().filter(|kept| !kept.is_good()).map(|kept| kept.id).collect();
        let open = self.store.open_windows(Trouble::Damaged.rule())?;
        damaged.extend(open.iter().filter_map(|window| window.parse::<BackupId>().ok()));
        Ok(damaged)
    }

    /// Everything that can be looked at without the key of an encrypted one, which is not on this machine.
    fn look_through(&self, number: u64, id: BackupId) -> Came {
        self.at(number, Stage::Verify);
        let path = self.place.backup(id);
        let deep = backup::verify_backup(&path, true, None, &self.verifier);
        let report = match deep {
            Err(VerifyError::Sealed(_)) => backup::verify_backup(&path, false, None, &self.verifier),
            report => report,
        };
        match report {
            Ok(report) if report.is_whole() => Came::Whole(Box::new(report)),
            Ok(report) => Came::Damaged(Box::new(report)),
            Err(error) => Came::Nothing(error.to_string()),
        }
    }

    /// Notes the step: in memory for who looks now, in the file for who looks after a crash.
    fn at(&self, number: u64, stage: Stage) {
        self.live().running = Some((number, Some(stage)));
        let noted = self.store.write::<_, StoreError>(|txn| {
            if let Some(mut attempt) = txn.backup_attempt(number)? {
                attempt.stage = Some(stage);
                txn.put_backup_attempt(&attempt)?;
            }
            Ok(())
        });
        if let Err(error) = noted {
            // The backup itself may still succeed, on another disk: its outcome is written down as soon as that works.
            tracing::warn!(attempt = number, "the step of a backup could not be noted: {error}");
        }
        self.happened();
    }
}

/// What should be known of a backup that is whole.
fn notes(created: &Created, lacks: Option<&str>) -> Option<String> {
    let lacking = lacks.map(|first| {
        let files = files_of_models(created.manifest.lacking.len() as u64);
        format!("not in it, because it could not be read: {files}; the first: {first}")
    });
    let unpruned = created.unpruned.as_ref().map(|error| format!("older backups could not be removed: {}", error));
    let notes: Vec<_> = lacking.into_iter().chain(unpruned).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
