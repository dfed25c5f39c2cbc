use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDate};
use serde::Serialize;

use super::{BackupId, Manifest};
use crate::domain::model::Digest;
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
    let past: BTreeSet<BackupId> = whole.into_iter().filter(|id| id.taken_at() <= now).collect();
    let mut kept: BTreeSet<BackupId> = past.iter().rev().take(keep.last as usize).copied().collect();
    kept.extend(newest_of(&past, keep.daily, |day| day));
    kept.extend(newest_of(&past, keep.weekly, |day| day.iso_week()));
    kept.extend(newest_of(&past, keep.monthly, |day| (day.year(), day.month())));
    // Whatever there is from the future: what that is worth nobody knows.
    kept.extend(past.last());
    past.difference(&kept).copied().collect()
}

/// The files of models that some of `manifests` lack, each with the backups that have it, the newest first: who has the
/// last one of such a file must not go while one that lacks it is kept.
pub fn lacked<'a>(manifests: impl Iterator<Item = &'a Manifest> + Clone) -> BTreeMap<Digest, Vec<BackupId>> {
    let mut lacked: BTreeMap<Digest, Vec<BackupId>> =
        manifests.clone().flat_map(|manifest| &manifest.lacking).map(|lacking| (lacking.sha256, Vec::new())).collect();
    if lacked.is_empty() {
        return lacked;
    }
    for manifest in manifests {
        for artifact in &manifest.artifacts {
            if let Some(having) = lacked.get_mut(&artifact.sha256) {
                having.push(manifest.id);
            }
        }
    }
    for having in lacked.values_mut() {
        having.sort_unstable_by(|one, other| other.cmp(one));
    }
    lacked
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn id(second: u64) -> BackupId {
        BackupId::at(Micros(second * Micros::SECOND))
    }

    fn keep() -> impl Strategy<Value = Keep> {
        (0_u32..5, 0_u32..10, 0_u32..6, 0_u32..8).prop_map(|(last, daily, weekly, monthly)| Keep {
            last,
            daily,
            weekly,
            monthly,
        })
    }

    /// Backups of two years, some of them of the same day, some damaged, a few from the future.
    fn held() -> impl Strategy<Value = Vec<Held>> {
        let second = NOW - 2 * 365 * 86_400..NOW + 40_000;
        let recent = NOW - 3 * 86_400..NOW;
        let one = (prop_oneof![second, recent], prop::bool::weighted(0.85));
        prop::collection::vec(one, 0..60).prop_map(|rows| {
            let unique: BTreeMap<u64, bool> = rows.into_iter().collect();
            unique.into_iter().map(|(second, whole)| Held { id: id(second), whole }).collect()
        })
    }

    fn now() -> Micros {
        Micros(NOW * Micros::SECOND)
    }

    proptest! {
        #[test]
        fn what_is_removed_is_whole_past_and_wanted_by_no_rule(held in held(), keep in keep()) {
            let removed = to_remove(&held, &keep, now());
            let gone = |id: &BackupId| removed.contains(id);
            let whole: Vec<BackupId> = held.iter().filter(|one| one.whole).map(|one| one.id).collect();
            let past: Vec<BackupId> = whole.iter().copied().filter(|id| id.taken_at() <= now()).collect();
            prop_assert!(removed.is_sorted() && removed.iter().all(|id| past.contains(id)), "damaged or from the future");
            prop_assert!(past.iter().max().is_none_or(|newest| !gone(newest)), "the newest whole one");
            for id in past.iter().rev().take(keep.last as usize) {
                prop_assert!(!gone(id), "{id} is one of the last {}", keep.last);
            }
            // The newest of each of the newest days that have one.
            let days: BTreeMap<u64, BackupId> = past.iter().map(|id| (id.taken_at().0 / Micros::DAY, *id)).collect();
            for id in days.values().rev().take(keep.daily as usize) {
                prop_assert!(!gone(id), "{id} is the newest of its day");
            }
            let months: BTreeMap<String, BackupId> =
                past.iter().map(|id| (id.taken_at().datetime().format("%Y-%m").to_string(), *id)).collect();
            for id in months.values().rev().take(keep.monthly as usize) {
                prop_assert!(!gone(id), "{id} is the newest of its month");
            }
            let weeks: BTreeMap<String, BackupId> =
                past.iter().map(|id| (id.taken_at().datetime().format("%G-%V").to_string(), *id)).collect();
            for id in weeks.values().rev().take(keep.weekly as usize) {
                prop_assert!(!gone(id), "{id} is the newest of its week");
            }
            let most = keep.last + keep.daily + keep.weekly + keep.monthly;
            prop_assert!(past.len() - removed.len() <= most.max(1) as usize, "no more than the rules want");
        }

        #[test]
        fn removing_twice_removes_nothing_more_and_wider_rules_remove_less(held in held(), keep in keep(), more in keep()) {
            let removed = to_remove(&held, &keep, now());
            let left: Vec<Held> = held.iter().copied().filter(|one| !removed.contains(&one.id)).collect();
            prop_assert_eq!(to_remove(&left, &keep, now()), vec![]);
            let wider = Keep {
                last: keep.last + more.last,
                daily: keep.daily + more.daily,
                weekly: keep.weekly + more.weekly,
                monthly: keep.monthly + more.monthly,
            };
            prop_assert!(to_remove(&held, &wider, now()).iter().all(|id| removed.contains(id)));
        }
    }

    #[test]
    fn a_year_of_nights_leaves_days_weeks_and_months() {
        let mut held: Vec<Held> = Vec::new();
        let start = 1_735_701_300; // 2025-01-01T03:15:00Z
        for night in 0..365 {
            let at = id(start + night * 86_400);
            held.push(Held { id: at, whole: true });
            let removed = to_remove(&held, &Keep::default(), at.taken_at());
            held.retain(|one| !removed.contains(&one.id));
        }
        let days: Vec<String> = held.iter().map(|one| one.id.to_string()[..10].to_owned()).collect();
        let expected = [
            // The last nights of months, the Sundays that end weeks, and the last seven nights.
            "2025-07-31",
            "2025-08-31",
            "2025-09-30",
            "2025-10-31",
            "2025-11-30",
            "2025-12-14",
            "2025-12-21",
            "2025-12-25",
            "2025-12-26",
            "2025-12-27",
            "2025-12-28",
            "2025-12-29",
            "2025-12-30",
            "2025-12-31",
        ];
        assert_eq!(days, expected);
    }
}
