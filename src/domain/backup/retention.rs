use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate};
use serde::Serialize;

use super::BackupId;
use crate::domain::time::Micros;

/// Which backups are kept, as restic and borg name it: the newest `last`, and the newest of each of so many days, ISO
/// weeks and months, in UTC, that have one. A backup stays while one of the rules wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Keep {
    /// The newest ones.
    pub last: u32,
    /// Days.
    pub daily: u32,
    /// Weeks.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 3, daily: 7, weekly: 4, monthly: 6 }
    }
}

/// A backup that is there, as retention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub id: BackupId,
    /// Whether it is whole. One that is not is shown to the operator, counts for nothing and is never removed.
    pub whole: bool,
}

/// The backups that no rule wants any more, oldest first. The newest whole one is never among them, and neither is one
/// from the future: a clock that was wrong for a while must not cost what is good.
pub fn to_remove(held: &[Held], keep: &Keep, now: Micros) -> Vec<BackupId> {
    let whole: BTreeSet<BackupId> = held.iter().filter(|backup| backup.whole).map(|backup| backup.id).collect();
    let (past, future): (BTreeSet<_>, BTreeSet<_>) = whole.into_iter().partition(|id| id.taken_at() <= now);
    let mut kept: BTreeSet<BackupId> = past.iter().rev().take(keep.last as usize).copied().collect();
    kept.extend(newest_of(&past, keep.daily, |day| day));
    kept.extend(newest_of(&past, keep.weekly, |day| day.iso_week()));
    kept.extend(newest_of(&past, keep.monthly, |day| (day.year(), day.month())));
    if future.is_empty() {
        kept.extend(past.last());
    }
    past.difference(&kept).copied().collect()
}

/// The newest backup of each of the last `count` periods that have one.
fn newest_of<P: PartialEq>(past: &BTreeSet<BackupId>, count: u32, period: impl Fn(NaiveDate) -> P) -> Vec<BackupId> {
    let mut found = Vec::new();
    let mut last = None;
    for id in past.iter().rev() {
        if found.len() >= count as usize {
            break;
        }
        let period = Some(period(id.taken_at().datetime().date_naive()));
        if period != last {
            found.push(*id);
            last = period;
        }
    }
    found
}
