use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::domain::time::Micros;

/// How far the predecessor had come with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// The time of the last line that it published.
    pub last: Micros,
    /// How many of its newest lines have exactly that time.
    pub count: u32,
    /// The latest time among all its lines: more than `last` where a clock was set back.
    pub latest: Micros,
}

/// How far the predecessor had come with each unit: it followed each by itself, so each is somewhere else.
///
/// Lines up to there are passed over, in the journal's order: up to and with the line that was published last, whatever
/// the clock did meanwhile. Where the journal does not have that line any more, the first later one ends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// Notes a line that the predecessor published; to be called in the stream's order.
    pub fn published(&mut self, unit: &str, ts: Micros) {
        match self.0.get_mut(unit) {
            Some(place) => {
                place.count = if place.last == ts { place.count.saturating_add(1) } else { 1 };
                place.last = ts;
                place.latest = place.latest.max(ts);
            }
            None => drop(self.0.insert(unit.to_owned(), Place { last: ts, count: 1, latest: ts })),
        }
    }

    /// Whether this line of the journal was published already. Each line is to be asked about once, in the journal's
    /// order.
    pub fn pass_over(&mut self, unit: &str, ts: Micros) -> bool {
        let Some(place) = self.0.get_mut(unit) else { return false };
        if ts == place.last {
            place.count -= 1;
            if place.count == 0 {
                self.0.remove(unit);
            }
            return true;
        }
        if ts > place.latest {
            self.0.remove(unit);
            return false;
        }
        true
    }

    /// Whether something was published of this unit.
    pub fn has(&self, unit: &str) -> bool {
        self.0.contains_key(unit)
    }

    /// Whether there is nothing to pass over (any more).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where reading the journal begins: at the unit that is furthest behind.
    pub fn begin(&self) -> Option<Micros> {
        self.0.values().map(|place| place.last).min()
    }

    /// The latest time of all.
    pub fn latest(&self) -> Option<Micros> {
        self.0.values().map(|place| place.latest).max()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNITS: [&str; 3] = ["a.service", "b.service", "c.service"];

    proptest! {
        /// Wherever the predecessor was with each unit: what it published is passed over, and every line after that is not.
        #[test]
        fn each_line_once(
            lines in proptest::collection::vec((0..3_usize, 0..6_usize), 1..60),
            cut in proptest::array::uniform3(0..60_usize),
        ) {
            let mut now = 1_000_i64;
            let mut seen = [0_usize; 3];
            let mut journal = Vec::new();
            for (unit, step) in lines {
                // Mostly onwards, and sometimes not at all: entries may share a microsecond.
                now += [1, 2, 0, 3, 1, 7][step];
                journal.push((unit, Micros(now as u64), seen[unit] < cut[unit]));
                seen[unit] += 1;
            }
            let mut places = Places::default();
            for (unit, ts, published) in &journal {
                if *published {
                    places.published(UNITS[*unit], *ts);
                }
            }
            let begin = places.begin();
            for (unit, ts, published) in &journal {
                if begin.is_some_and(|begin| *ts < begin) {
                    prop_assert!(*published || !places.has(UNITS[*unit]));
                    continue;
                }
                prop_assert_eq!(places.pass_over(UNITS[*unit], *ts), *published, "{} at {}", unit, ts.0);
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back() {
        let mut places = Places::default();
        for ts in [10, 20, 30, 5, 6] {
            places.published("a", Micros(ts));
        }
        // From the beginning on, all of it is passed over up to the line that was published last, and nothing after it.
        let read: Vec<bool> = [5, 10, 20, 30].map(|ts| places.clone().pass_over("a", Micros(ts))).into();
        assert_eq!(read, [true; 4]);
        assert!(places.pass_over("a", Micros(6)));
        assert!(!places.pass_over("a", Micros(7)) && !places.pass_over("a", Micros(30)));
    }

    #[test]
    fn a_journal_that_does_not_have_the_last_line_any_more() {
        let mut places = Places::default();
        places.published("a", Micros(10));
        places.published("b", Micros(40));
        assert_eq!((places.begin(), places.latest()), (Some(Micros(10)), Some(Micros(40))));
        assert!(!places.pass_over("a", Micros(11)));
        assert!(places.pass_over("b", Micros(12)) && !places.pass_over("c", Micros(12)));
        assert!(!places.pass_over("b", Micros(41)));
        assert!(places.is_empty());
    }
}
