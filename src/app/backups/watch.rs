use super::finish::resolve;
use super::lacking::files_of_models;
use super::look::Kept;
use super::{Backups, BackupsError, Standing};
use crate::domain::backup::{CopyState, Trouble};
use crate::domain::rules::Finding;
use crate::domain::time::Micros;
use crate::observe::status::Reporter;
use crate::store::StoreError;

impl Backups {
    /// Looks at what is there and how old it is: tells health and Prometheus, and raises or resolves what follows. Blocks.
    pub fn watch(&self, now: Micros) -> Result<(), BackupsError> {
        if self.live().first_start.is_none() {
            let first_start = self.store.write::<_, StoreError>(|txn| txn.backups_first_start(now))?;
            self.live().first_start = Some(first_start);
        }
        let standing = self.standing(now)?;
        let counts = |kept: &&Kept| kept.is_good() && !kept.id.is_from_the_future(now);
        self.metrics.backups.kept.set(standing.kept.iter().flatten().filter(counts).count() as u64);
        self.metrics.backups.newest(standing.newest().map(|kept| kept.id.taken_at()));
        self.metrics.backups.lacking.set(standing.newest().map_or(0, Kept::lacking));
        report(&self.status, &standing, now);
        if let Some(status) = &self.copy_status {
            self.report_copies(status, &standing);
        }
        self.judge(&standing, now)?;
        Ok(())
    }

    /// Raises that the newest is old, once for each time that it is; and resolves what is over without a new backup.
    fn judge(&self, standing: &Standing, now: Micros) -> Result<(), StoreError> {
        let raise = standing.staleness.judge(now);
        let window = raise.as_ref().map(|raise| raise.key.window.clone());
        let mut findings = Vec::new();
        if let Some(raise) = raise
            && self.live().stale != window
        {
            findings.push(Finding::Raise(raise));
        }
        let over =
            self.store.open_windows(Trouble::Stale.rule())?.into_iter().any(|open| Some(&open) != window.as_ref());
        // A damaged backup that somebody removed troubles nobody any more.
        let damaged = self.store.open_windows(Trouble::Damaged.rule())?;
        let there = |window: &String| standing.kept.iter().flatten().any(|kept| kept.id.to_string() == *window);
        let gone: Vec<_> = if standing.kept.is_ok() {
            damaged.into_iter().filter(|window| !there(window)).filter_map(|window| window.parse().ok()).collect()
        } else {
            Vec::new()
        };
        // Nobody copies anything any more, so nobody misses a copy.
        let unwanted = self.copied_to().is_none() && !self.store.open_windows(Trouble::NotCopied.rule())?.is_empty();
        if !findings.is_empty() || over || !gone.is_empty() || unwanted {
            self.store.write::<_, StoreError>(|txn| {
                if over {
                    let why = match standing.staleness.newest {
                        Some(id) => format!("the newest backup is {id}"),
                        None => "backup.stale_after says so".to_owned(),
                    };
                    resolve(txn, Trouble::Stale, None, &why, now)?;
                }
                for id in &gone {
                    resolve(txn, Trouble::Damaged, Some(*id), "the backup is no longer there", now)?;
                }
                if unwanted {
                    let why = "backups are no longer copied elsewhere: [backup.s3] is off";
                    resolve(txn, Trouble::NotCopied, None, why, now)?;
                }
                // Behind what it takes the place of.
                txn.apply_findings(&findings, now)
            })?;
        }
        self.live().stale = window;
        Ok(())
    }

    fn report_copies(&self, status: &Reporter, standing: &Standing) {
        let usual = self.copied_to();
        let trouble = self.live().copy_trouble.clone();
        let to = usual.unwrap_or_default();
        let copies = standing.attempts.iter().filter_map(|attempt| Some((attempt, attempt.copy_at(&to)?)));
        let over = copies.into_iter().find(|(_, copy)| copy.state.is_over());
        if let Some(trouble) = trouble {
            return status.warn(trouble, "it is tried again by itself");
        }
        let Some((attempt, copy)) = over else {
            return status.ok(format!("nothing was copied to {to} yet"));
        };
        let id = attempt.backup.map_or_else(String::new, |id| id.to_string());
        match (&copy.error, copy.state) {
            (Some(why), CopyState::Failed) => status.warn(
                format!("backup {id} is not at {to}: {why}"),
                "mend what it complains of; what is lacking there is sent behind the next copy that gets there: \
                 quantum-clm backup",
            ),
            _ => status.ok(format!("{id} is at {to}")),
        }
    }
}

/// Health's line about backups.
fn report(status: &Reporter, standing: &Standing, now: Micros) {
    let newest = standing.newest();
    let at = |kept: &Kept| kept.id.taken_at();
    let kept = standing.kept.iter().flatten().count() as u64;
    status.figure("kept", kept);
    status.figure("age_seconds", newest.map_or(0, |kept| now.0.saturating_sub(at(kept).0) / Micros::SECOND));
    status.figure("bytes", newest.and_then(|kept| kept.manifest.as_ref().ok()).map_or(0, |m| m.data.size));
    let last = newest.map_or_else(|| "there is none".to_owned(), |kept| format!("the newest is {}", kept.id));
    let (mut troubles, mut remedy) = (Vec::new(), None);
    let mut trouble = |what: String, what_to_do: &'static str| {
        troubles.push(what);
        remedy.get_or_insert(what_to_do);
    };
    if let Err(why) = &standing.kept {
        trouble(why.clone(), "see that backup.directory is there, and is the daemon's to read and to write");
    }
    if let Some(why) = &standing.unwritten {
        trouble(format!("what came of a backup cannot be written down: {why}"), "free space on the data file's disk");
    }
    if let Some(attempt) = standing.failing() {
        let why = attempt.error.as_deref().unwrap_or_default();
        trouble(format!("the last backup failed: {why}"), "mend what it complains of, then: quantum-clm backup");
    }
    if let Some(kept) = newest.filter(|kept| kept.lacking() > 0) {
        let what_to_do =
            "quantum-clm verify names the files: put them back, from an older backup or from who made them";
        trouble(format!("backup {} lacks {}", kept.id, files_of_models(kept.lacking())), what_to_do);
    }
    if let Some(ahead) = standing.kept.iter().flatten().find(|kept| kept.id.is_from_the_future(now)) {
        let what_to_do = "see that the clock is right: timedatectl; then make another, and remove that one by hand";
        trouble(format!("backup {} is from the future, and does not count", ahead.id), what_to_do);
    }
    if let Some(damaged) = standing.kept.iter().flatten().find(|kept| !kept.is_good()) {
        let why = damaged.fault().unwrap_or_default();
        let what_to_do =
            "make another: quantum-clm backup; then look after the disk, and remove the damaged one by hand";
        trouble(format!("backup {} cannot be relied on: {why}", damaged.id), what_to_do);
    }
    if standing.staleness.judge(now).is_some() {
        let what_to_do =
            "quantum-clm backup makes one now; systemctl status quantum-clm-backup.timer tells of the timer";
        trouble("no backup was made for too long".to_owned(), what_to_do);
    }
    if let Some(remedy) = remedy {
        return status.warn(format!("{}; {last}", troubles.join("; ")), remedy);
    }
    match (standing.running(), newest) {
        (Some(attempt), _) => {
            status.ok(format!("{}; {last}", attempt.stage.map_or("a backup begins", |stage| stage.words())));
        }
        (None, Some(_)) => status.ok(format!("{last}, verified; {kept} are kept")),
        (None, None) => status.ok("no backup was made yet"),
    }
}
