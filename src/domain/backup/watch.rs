use super::BackupId;
use crate::domain::intent::{IntentKey, Severity, Subject};
use crate::domain::rules::Raise;
use crate::domain::schedule::span;
use crate::domain::time::Micros;

/// What can be wrong with backups. Each has intents of its own, of which one at most is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// One was to be made and came to nothing.
    Failed,
    /// The newest is old.
    Stale,
    /// The copy elsewhere did not get there.
    NotCopied,
    /// One that is there is not whole any more.
    Damaged,
    /// The newest lacks files of models.
    Incomplete,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Failed, Self::Stale, Self::NotCopied, Self::Damaged, Self::Incomplete];

    /// Those that are over with the next good backup.
    pub const UNTIL_THE_NEXT: [Self; 2] = [Self::Failed, Self::Stale];

    /// What intents call it.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Failed => "backup.failed",
            Self::Stale => "backup.stale",
            Self::NotCopied => "backup.copy",
            Self::Damaged => "backup.damaged",
            Self::Incomplete => "backup.incomplete",
        }
    }

    /// The intent. `since` tells one time of trouble from the next: the last backup before it, as nothing else stays the same
    /// for as long as it lasts; none where there never was one.
    pub fn raise(self, since: Option<BackupId>, reason: String, count: u64, at: Micros) -> Raise {
        let window = since.map_or_else(|| "none".to_owned(), |id| id.to_string());
        Raise {
            key: IntentKey { rule: self.rule().to_owned(), subject: Subject::Backup, window },
            severity: Severity::High,
            reason,
            suggested_action: "investigate".to_owned(),
            count,
            threshold: 0,
            at,
        }
    }
}

/// How old the newest backup is, against what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// The newest whole one; none where there is none.
    pub newest: Option<BackupId>,
    /// Since when there is something to back up.
    pub first_start: Micros,
    /// From which age on somebody is told; none: from none.
    pub after: Option<u64>,
}

impl Staleness {
    /// How old the newest of these backups is; those from the future, when the clock was wrong, have no age.
    pub fn of(good: impl Iterator<Item = BackupId>, first_start: Micros, after: Option<u64>, now: Micros) -> Self {
        Self { newest: good.filter(|id| !id.is_from_the_future(now)).max(), first_start, after }
    }

    /// What the age counts from: the newest backup's snapshot, or the first start where there is no backup.
    fn since(&self) -> Micros {
        self.newest.map_or(self.first_start, BackupId::taken_at)
    }

    /// The age in microseconds.
    fn age(&self, now: Micros) -> u64 {
        now.0.saturating_sub(self.since().0)
    }

    /// What to raise at `now`, if the newest backup is too old.
    pub fn judge(&self, now: Micros) -> Option<Raise> {
        let after = self.after.filter(|after| self.age(now) >= *after)?;
        let limit = span(after);
        let reason = match self.newest {
            Some(id) => format!("No backup for {limit}: the newest is {id}"),
            None => format!("No backup for {limit}: there is none at all"),
        };
        // The instant at which it became so, however late it is seen: judging again finds the same.
        Some(Trouble::Stale.raise(self.newest, reason, after / Micros::HOUR, self.since().plus(after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_795_230_900_000_000);

    fn staleness(newest: Option<Micros>) -> Staleness {
        Staleness { newest: newest.map(BackupId::at), first_start: NOW, after: Some(36 * Micros::HOUR) }
    }

    #[test]
    fn the_newest_counts_and_without_one_the_first_start() {
        let limit = 36 * Micros::HOUR;
        for (newest, at, stale) in [
            (None, NOW, false),
            (None, NOW.plus(limit - 1), false),
            (None, NOW.plus(limit), true),
            (Some(NOW), NOW.plus(limit - 1), false),
            (Some(NOW), NOW.plus(limit), true),
            // A backup that is older than the first start: the directory came with the data file from elsewhere.
            (Some(NOW.minus(limit)), NOW, true),
            // The clock was set back by a little.
            (Some(NOW.plus(Micros::HOUR)), NOW, false),
        ] {
            assert_eq!(staleness(newest).judge(at).is_some(), stale, "{newest:?} at {at:?}");
        }
        assert_eq!(Staleness { after: None, ..staleness(None) }.judge(NOW.plus(1_000 * Micros::DAY)), None);
    }

    #[test]
    fn a_backup_from_the_future_does_not_count_as_the_newest() {
        let (old, future) = (BackupId::at(NOW), BackupId::at(NOW.plus(3_650 * Micros::DAY)));
        let at = |now| Staleness::of([old, future].into_iter(), NOW, Some(36 * Micros::HOUR), now);
        let later = NOW.plus(40 * Micros::HOUR);
        assert_eq!(at(later).newest, Some(old));
        assert!(at(later).judge(later).is_some(), "a clock that was wrong once switches the alarm off");
        // A clock that goes ahead by a little, and one that has got there.
        assert_eq!(at(NOW.minus(Micros::HOUR)).newest, Some(old));
        assert_eq!(at(future.taken_at()).newest, Some(future));
        let alone = Staleness::of([future].into_iter(), NOW, Some(36 * Micros::HOUR), later);
        assert!(alone.newest.is_none() && alone.judge(later).is_some());
    }

    #[test]
    fn the_same_trouble_is_the_same_intent_however_often_it_is_seen() {
        let judge = |newest, days| staleness(newest).judge(NOW.plus(days * Micros::DAY)).expect("stale");
        assert_eq!(judge(Some(NOW), 2), judge(Some(NOW), 30));
        assert_eq!(judge(Some(NOW), 2).reason, "No backup for 36 hours: the newest is 2026-11-21T031500Z");
        let next = NOW.plus(3 * Micros::DAY);
        assert_ne!(
            judge(Some(NOW), 2).key,
            judge(Some(next), 30).key,
            "after a good one it is another time of trouble"
        );
        let short = Staleness { after: Some(60 * Micros::SECOND), ..staleness(None) };
        assert_eq!(
            short.judge(NOW.plus(Micros::DAY)).expect("stale").reason,
            "No backup for 1 minute: there is none at all"
        );
    }
}
