use std::path::PathBuf;

use super::{Backups, BackupsError};
use crate::backup;
use crate::domain::backup::{Attempt, AttemptKind, AttemptState, BackupId, Manifest, Staleness};
use crate::domain::time::Micros;

/// Attempts that are looked through for what is known of a backup.
const ATTEMPTS: usize = 2_000;

/// A backup that is there.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name.
    pub id: BackupId,
    /// Its directory.
    pub path: PathBuf,
    /// What it says of itself, or why it is none.
    pub manifest: Result<Manifest, String>,
    /// When it was verified last, and how it was found. It was verified when it was made; none where it is none.
    pub proof: Option<Proof>,
    /// The attempt that made it, where the data file knows it.
    pub made: Option<Attempt>,
    /// The newest attempt to look through it.
    pub looked: Option<Attempt>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// When.
    pub at: Micros,
    /// What was wrong; nothing where it was whole.
    pub fault: Option<String>,
}

impl Kept {
    /// What is wrong with it.
    pub fn fault(&self) -> Option<&str> {
        match &self.manifest {
            Err(why) => Some(why),
            Ok(_) => self.proof.as_ref().and_then(|proof| proof.fault.as_deref()),
        }
    }

    /// Files of models that should be in it and could not be read when it was made.
    pub fn lacking(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.lacking.len() as u64)
    }

    /// Whether it can be relied on, as far as is known.
    pub fn is_good(&self) -> bool {
        self.fault().is_none()
    }
}

/// How everything about backups stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What is there, the newest first; or why the directory cannot be read.
    pub kept: Result<Vec<Kept>, String>,
    /// What was attempted, the newest first.
    pub attempts: Vec<Attempt>,
    /// How old the newest is.
    pub staleness: Staleness,
    /// Why the outcome of an attempt could not be written down.
    pub unwritten: Option<String>,
}

impl Standing {
    /// The newest that can be relied on, and is not from the future.
    pub fn newest(&self) -> Option<&Kept> {
        self.kept.iter().flatten().find(|kept| Some(kept.id) == self.staleness.newest)
    }

    /// What is under way.
    pub fn running(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.state == AttemptState::Running)
    }

    /// The attempt that came to nothing, where no backup was made since.
    pub fn failing(&self) -> Option<&Attempt> {
        let over = |attempt: &&Attempt| attempt.kind == AttemptKind::Make && attempt.state.is_over();
        self.attempts.iter().find(over).filter(|attempt| attempt.made_none())
    }
}

impl Backups {
    /// Looks at everything. Blocks; no file of models and no data file is read.
    pub fn standing(&self, now: Micros) -> Result<Standing, BackupsError> {
        let mut attempts = self.store.backup_attempts(u64::MAX, ATTEMPTS)?;
        let (running, first_start, unwritten, ended_copy) = {
            let live = self.live();
            (live.running, live.first_start, live.unwritten.clone(), live.ended_copy.clone())
        };
        if let Some(ended) = ended_copy {
            attempts.iter_mut().for_each(|attempt| ended.show(attempt));
        }
        if let Some((number, stage)) = running
            && let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.number == number)
        {
            attempt.stage = stage.or(attempt.stage);
        }
        let kept = match self.manifests.list(&self.place) {
            Ok(found) => Ok(found.into_iter().rev().map(|found| kept(found, &attempts)).collect::<Vec<_>>()),
            Err(error) => Err(error.to_string()),
        };
        let good = kept.iter().flatten().filter(|kept| kept.is_good()).map(|kept| kept.id);
        let staleness = self.staleness(good, first_start.unwrap_or(now), now);
        Ok(Standing { kept, attempts, staleness, unwritten })
    }

    /// One backup.
    pub fn kept(&self, id: BackupId, now: Micros) -> Result<(Kept, Standing), BackupsError> {
        let standing = self.standing(now)?;
        if let Err(why) = &standing.kept {
            return Err(BackupsError::Unreadable(why.clone()));
        }
        let found = standing.kept.iter().flatten().find(|kept| kept.id == id).cloned();
        Ok((found.ok_or(BackupsError::Unknown(id))?, standing))
    }

    /// One attempt, with the step that it is at now.
    pub fn attempt(&self, number: u64) -> Result<Attempt, BackupsError> {
        let mut attempt = self.store.backup_attempt(number)?.ok_or(BackupsError::NoAttempt(number))?;
        let live = self.live();
        if let Some((running, stage)) = live.running
            && running == number
        {
            attempt.stage = stage.or(attempt.stage);
        }
        // Whoever waits for it need not wait until that can be written down.
        if let Some(ended) = &live.ended_copy {
            ended.show(&mut attempt);
        }
        Ok(attempt)
    }
}

fn kept(found: backup::Found, attempts: &[Attempt]) -> Kept {
    let backup::Found { id, path, manifest } = found;
    let of_it = |attempt: &&Attempt| attempt.backup == Some(id);
    let made = attempts.iter().filter(of_it).find(|attempt| attempt.made_one()).cloned();
    // One that could not be carried out says nothing of the backup: it is as the last look before found it.
    let found_so = attempts.iter().filter(of_it).find(|attempt| attempt.has_looked());
    let looked = attempts.iter().filter(of_it).find(|attempt| attempt.kind == AttemptKind::Verify).cloned();
    let again = found_so.and_then(|attempt| {
        let fault = (attempt.state == AttemptState::Failed).then(|| attempt.error.clone().unwrap_or_default());
        Some(Proof { at: attempt.ended_at?, fault })
    });
    let proof =
        again.or_else(|| manifest.as_ref().ok().map(|manifest| Proof { at: manifest.finished_at, fault: None }));
    Kept { id, path, manifest, proof, made, looked }
}
