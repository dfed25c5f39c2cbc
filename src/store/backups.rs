use redb::ReadableTable as _;

use super::codec::{self, records};
use super::schema::{BACKUPS, INTENTS, META};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::backup::Attempt;
use crate::domain::intent::{Intent, IntentState};
use crate::domain::time::Micros;

/// Attempts that are kept, the newest. The newest that made a backup stays besides: what follows is counted from it.
const KEPT: u64 = 1_000;

/// The row of [`META`] that holds since when there is something to back up.
pub(super) const FIRST_START: &str = "backups_first_start";

/// Since when there is something to back up.
#[derive(bincode::Encode, bincode::Decode)]
pub(super) struct FirstStart(Micros);

records! {
    Attempt = 1, "backup attempt";
    FirstStart = 1, "first start";
}

impl Store {
    /// Attempts below `before`, newest first.
    pub fn backup_attempts(&self, before: u64, limit: usize) -> Result<Vec<Attempt>, StoreError> {
        self.read(|ReadTxn { txn }| {
            txn.open_table(BACKUPS)?
                .range(..before)?
                .rev()
                .take(limit)
                .map(|row| codec::decode(row?.1.value()))
                .collect()
        })
    }

    /// One attempt.
    pub fn backup_attempt(&self, number: u64) -> Result<Option<Attempt>, StoreError> {
        self.read(|ReadTxn { txn }| {
            txn.open_table(BACKUPS)?.get(number)?.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// Whether an intent of this rule is open, and about what time of trouble.
    pub fn open_windows(&self, rule: &str) -> Result<Vec<String>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(INTENTS)?.iter()? {
                let intent: Intent = codec::decode(row?.1.value())?;
                if intent.key.rule == rule && intent.state() != IntentState::Resolved {
                    found.push(intent.key.window);
                }
            }
            Ok(found)
        })
    }
}

impl WriteTxn {
    /// The number that the next attempt gets.
    pub fn next_backup_attempt(&self) -> Result<u64, StoreError> {
        // The newest is never removed, so its number is the sequence's memory.
        Ok(self.txn.open_table(BACKUPS)?.last()?.map_or(1, |(number, _)| number.value() + 1))
    }

    /// One attempt, as this transaction sees it.
    pub fn backup_attempt(&self, number: u64) -> Result<Option<Attempt>, StoreError> {
        self.txn.open_table(BACKUPS)?.get(number)?.map(|row| codec::decode(row.value())).transpose()
    }

    /// Attempts, newest first, for as long as `take` says so.
    pub fn newest_backup_attempts(&self, mut take: impl FnMut(&Attempt) -> bool) -> Result<Vec<Attempt>, StoreError> {
        let mut found = Vec::new();
        for row in self.txn.open_table(BACKUPS)?.iter()?.rev() {
            let attempt = codec::decode(row?.1.value())?;
            if !take(&attempt) {
                break;
            }
            found.push(attempt);
        }
        Ok(found)
    }

    /// Stores an attempt as it now is. The oldest make room.
    pub fn put_backup_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(BACKUPS)?;
        table.insert(attempt.number, codec::encode(attempt)?.as_slice())?;
        let last = table.last()?.map_or(0, |(number, _)| number.value());
        let mut old = Vec::new();
        for row in table.range(..=last.saturating_sub(KEPT))? {
            old.push(codec::decode::<Attempt>(row?.1.value())?);
        }
        if old.is_empty() {
            return Ok(());
        }
        let mut good = None;
        for row in table.iter()?.rev() {
            let attempt: Attempt = codec::decode(row?.1.value())?;
            if attempt.made_one() {
                good = Some(attempt.number);
                break;
            }
        }
        for attempt in old.iter().filter(|attempt| Some(attempt.number) != good) {
            table.remove(attempt.number)?;
        }
        Ok(())
    }

    /// Since when there is something to back up: `now` where nobody asked before, or only in what is still to come, when the
    /// clock was wrong.
    pub fn backups_first_start(&self, now: Micros) -> Result<Micros, StoreError> {
        let mut meta = self.txn.open_table(META)?;
        let had = meta.get(FIRST_START)?.map(|row| codec::decode::<FirstStart>(row.value())).transpose()?;
        if let Some(FirstStart(at)) = had.filter(|had| had.0 <= now.plus(Micros::HOUR)) {
            return Ok(at);
        }
        meta.insert(FIRST_START, codec::encode(&FirstStart(now))?.as_slice())?;
        Ok(now)
    }

    /// The intents of this rule that are not resolved.
    pub fn unresolved_of(&self, rule: &str) -> Result<Vec<Intent>, StoreError> {
        let mut found = Vec::new();
        for row in self.txn.open_table(INTENTS)?.iter()? {
            let intent: Intent = codec::decode(row?.1.value())?;
            if intent.key.rule == rule && intent.state() != IntentState::Resolved {
                found.push(intent);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::{AttemptKind, AttemptState};

    #[test]
    fn the_oldest_make_room_but_for_the_last_good_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("q.redb")).expect("a file");
        let put = |number: u64, state| {
            store
                .write::<_, StoreError>(|txn| {
                    assert_eq!(txn.next_backup_attempt()?, number);
                    let mut attempt = Attempt::asked(number, AttemptKind::Make, "timer", "", Micros(number));
                    attempt.end(state, None, Micros(number));
                    txn.put_backup_attempt(&attempt)
                })
                .unwrap_or_else(|error| panic!("{error}"));
        };
        put(1, AttemptState::Done);
        put(2, AttemptState::Done);
        for number in 3..=KEPT + 10 {
            put(number, AttemptState::Failed);
        }
        let numbers: Vec<_> =
            store.backup_attempts(u64::MAX, usize::MAX).expect("a look").iter().map(|a| a.number).collect();
        assert_eq!(numbers.len() as u64, KEPT + 1);
        assert_eq!((numbers[0], numbers.last().copied()), (KEPT + 10, Some(2)));
        put(KEPT + 11, AttemptState::Done);
        let numbers: Vec<_> = store.backup_attempts(13, usize::MAX).expect("a look").iter().map(|a| a.number).collect();
        assert_eq!(numbers, [12], "the new good one makes room for the older one");
    }

    #[test]
    fn the_first_start_is_said_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("q.redb")).expect("a file");
        for now in [5, 9] {
            let first = store.write::<_, StoreError>(|txn| txn.backups_first_start(Micros(now)));
            assert_eq!(first.expect("a look"), Micros(5));
        }
        let file = &directory.path().join("ahead.redb");
        let store = Store::open(file).expect("a file");
        for (now, expected) in [(Micros::DAY, Micros::DAY), (9, 9), (10, 9)] {
            let first = store.write::<_, StoreError>(|txn| txn.backups_first_start(Micros(now)));
            assert_eq!(first.expect("a look"), Micros(expected), "the clock was set right");
        }
    }
}
