use redb::ReadableTable as _;

use super::codec::{self, records};
use super::schema::DEAD_LETTERS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::bus_in::{DeadLetter, LetterState, LetterStateName, Topic};
use crate::domain::time::Micros;

/// Letters that are kept. A program that sends rubbish all day must not fill the disk with it.
const KEPT: u64 = 2_000;

/// How long one is kept that somebody replayed or discarded.
const DAYS: u64 = 90;

records! { DeadLetter = 1, "dead letter"; }

impl Store {
    /// Letters with numbers below `before`, newest first: those in `state` and of `topic`, where they are named.
    pub fn dead_letters(
        &self,
        state: Option<LetterStateName>,
        topic: Option<Topic>,
        before: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(DEAD_LETTERS)?.range(..before)?.rev() {
                let letter: DeadLetter = codec::decode(row?.1.value())?;
                let wanted = state.is_none_or(|state| letter.state.name() == state);
                if wanted && topic.is_none_or(|topic| letter.topic == topic) {
                    found.push(letter);
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// One letter.
    pub fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, StoreError> {
        self.read(|ReadTxn { txn }| {
            txn.open_table(DEAD_LETTERS)?.get(number)?.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// How many wait for somebody.
    pub fn dead_letters_waiting(&self) -> Result<u64, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut waiting = 0;
            for row in txn.open_table(DEAD_LETTERS)?.iter()? {
                let letter: DeadLetter = codec::decode(row?.1.value())?;
                waiting += u64::from(letter.state == LetterState::Waiting);
            }
            Ok(waiting)
        })
    }
}

impl WriteTxn {
    /// One letter, as this transaction sees it.
    pub fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, StoreError> {
        self.txn.open_table(DEAD_LETTERS)?.get(number)?.map(|row| codec::decode(row.value())).transpose()
    }

    /// The number that the next letter gets.
    pub fn next_dead_letter(&self) -> Result<u64, StoreError> {
        // The newest is never removed, so its number is the sequence's memory.
        Ok(self.txn.open_table(DEAD_LETTERS)?.last()?.map_or(1, |(number, _)| number.value() + 1))
    }

    /// Stores a letter as it now is. The oldest makes room.
    pub fn put_dead_letter(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(DEAD_LETTERS)?;
        table.insert(letter.number, codec::encode(letter)?.as_slice())?;
        table.retain_in(..=letter.number.saturating_sub(KEPT), |_, _| false)?;
        Ok(())
    }

    pub(super) fn trim_dead_letters(&self, now: Micros) -> Result<(), StoreError> {
        let before = now.minus(DAYS * Micros::DAY);
        let mut table = self.txn.open_table(DEAD_LETTERS)?;
        let last = table.last()?.map_or(0, |(number, _)| number.value());
        let mut old = Vec::new();
        for row in table.range(..last)? {
            let letter: DeadLetter = codec::decode(row?.1.value())?;
            match letter.state {
                LetterState::Replayed { at, .. } | LetterState::Discarded { at, .. } if at < before => {
                    old.push(letter.number);
                }
                _ => {}
            }
        }
        for number in old {
            table.remove(number)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bus_in::{EntryId, Fields};
    use crate::store::Retention;

    #[test]
    fn the_oldest_make_room_and_what_is_over_goes_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("d.redb")).unwrap();
        let now = Micros(20_000 * Micros::DAY);
        let letter = |number, state| DeadLetter {
            number,
            topic: Topic::DriftDetected,
            entry: EntryId { ms: number, seq: 0 },
            at: now,
            tries: 3,
            error: "payload: it is missing".into(),
            fields: Fields::default(),
            cut: false,
            state,
        };
        store
            .write::<_, StoreError>(|txn| {
                for number in 1..=KEPT + 5 {
                    assert_eq!(txn.next_dead_letter()?, number);
                    let discarded = LetterState::Discarded { by: "anna".into(), at: now, why: "a test".into() };
                    let state = if number % 2 == 0 { LetterState::Waiting } else { discarded };
                    txn.put_dead_letter(&letter(number, state))?;
                }
                Ok(())
            })
            .unwrap();
        let numbers = |state, limit| -> Vec<u64> {
            store.dead_letters(state, None, u64::MAX, limit).unwrap().iter().map(|letter| letter.number).collect()
        };
        assert_eq!(numbers(None, usize::MAX).len() as u64, KEPT);
        assert_eq!(numbers(None, usize::MAX).last(), Some(&6));
        assert_eq!(numbers(Some(LetterStateName::Waiting), 2), [KEPT + 4, KEPT + 2]);
        assert_eq!(store.dead_letters_waiting().unwrap(), KEPT / 2);
        assert!(store.dead_letters(None, Some(Topic::RegimeChanged), u64::MAX, 9).unwrap().is_empty());
        let retention = Retention { days: 30, bytes: 1 << 30 };
        store.trim(retention, now.plus(90 * Micros::DAY)).unwrap();
        assert_eq!(numbers(None, usize::MAX).len() as u64, KEPT);
        store.trim(retention, now.plus(90 * Micros::DAY + 1)).unwrap();
        let left = numbers(None, usize::MAX);
        assert_eq!(left.len() as u64, KEPT / 2 + 1, "those that wait, and the newest: it is the sequence's memory");
        assert_eq!(left[0], KEPT + 5);
    }
}
