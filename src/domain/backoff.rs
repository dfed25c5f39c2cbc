use std::collections::HashMap;

use super::time::Micros;

/// How much guessing costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts in a row that may fail without a wait.
    pub free: u32,
    /// The wait after the last of them, in microseconds; each further failure doubles it.
    pub first: u64,
    /// The longest wait, in microseconds.
    pub most: u64,
    /// Quiet, in microseconds, after which failures are forgotten. Longer than the longest wait.
    pub forget: u64,
    /// Keys that are remembered; the one heard of the longest ago makes room.
    pub keys: usize,
}

impl Limits {
    /// For one account. A minute at most: whoever guesses must not be able to lock its owner out.
    pub const ACCOUNT: Self =
        Self { free: 5, first: Micros::SECOND, most: 60 * Micros::SECOND, forget: Micros::HOUR, keys: 10_000 };

    /// For one address.
    pub const ADDRESS: Self =
        Self { free: 5, first: Micros::SECOND, most: 15 * 60 * Micros::SECOND, forget: Micros::HOUR, keys: 10_000 };

    /// The wait behind that many failures.
    fn wait(&self, failures: u32) -> u64 {
        match failures.checked_sub(self.free) {
            None => 0,
            Some(doublings) => 1_u64
                .checked_shl(doublings)
                .and_then(|factor| self.first.checked_mul(factor))
                .unwrap_or(self.most)
                .min(self.most),
        }
    }
}

/// Waits by key: an account's name, an address.
///
/// An attempt is charged as a failure before it is judged, and given back when it succeeds: otherwise a thousand attempts
/// at once would all be free.
#[derive(Clone, Debug)]
pub struct Backoff {
    limits: Limits,
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    /// The end of the wait.
    until: Micros,
    last: Micros,
}

impl Backoff {
    /// Nobody has failed yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: HashMap::new() }
    }

    /// Microseconds that `key` has to wait; 0 when it may try.
    pub fn wait(&self, key: &str, now: Micros) -> u64 {
        let Some(entry) = self.entries.get(key) else { return 0 };
        // A clock that was set back must not make a wait longer than it was.
        entry.until.0.saturating_sub(now.0).min(self.limits.wait(entry.failures))
    }

    /// Charges an attempt, which must be allowed now.
    pub fn charge(&mut self, key: &str, now: Micros) {
        if !self.entries.contains_key(key) && self.entries.len() >= self.limits.keys {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last).map(|(key, _)| key.clone());
            oldest.map(|key| self.entries.remove(&key));
        }
        let entry = self.entries.entry(key.to_owned()).or_insert(Entry { failures: 0, until: now, last: now });
        if now.0.saturating_sub(entry.last.0) > self.limits.forget {
            entry.failures = 0;
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        entry.until = now.plus(self.limits.wait(entry.failures));
    }

    /// Gives one attempt back: it was not judged, or it succeeded while others of the key need not have.
    pub fn give_back(&mut self, key: &str) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.failures = entry.failures.saturating_sub(1);
            entry.until = entry.last.plus(self.limits.wait(entry.failures));
            if entry.failures == 0 {
                self.entries.remove(key);
            }
        }
    }

    /// Forgets the failures of `key`.
    pub fn clear(&mut self, key: &str) {
        self.entries.remove(key);
    }

    /// Drops what is forgotten by now.
    pub fn tidy(&mut self, now: Micros) {
        let forget = self.limits.forget;
        self.entries.retain(|_, entry| now.0.saturating_sub(entry.last.0) <= forget);
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody has failed lately.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = Micros::SECOND;
    const NOW: Micros = Micros(1_768_621_479_000_000);

    #[test]
    fn five_are_free_and_then_it_doubles_up_to_the_cap() {
        for (limits, cap) in [(Limits::ACCOUNT, 60), (Limits::ADDRESS, 900)] {
            let mut backoff = Backoff::new(limits);
            let mut now = NOW;
            let mut waits = Vec::new();
            for _ in 0..18 {
                backoff.charge("k", now);
                let wait = backoff.wait("k", now);
                waits.push(wait / SECOND);
                now = now.plus(wait);
                assert_eq!(backoff.wait("k", now), 0, "the wait is over when it is over");
            }
            let expected: Vec<u64> = (0..18).map(|n| if n < 4 { 0 } else { (1 << (n - 4)).min(cap) }).collect();
            assert_eq!(waits, expected);
            assert_eq!(backoff.wait("other", now), 0);
        }
    }

    #[test]
    fn success_and_quiet_forget() {
        let mut backoff = Backoff::new(Limits::ACCOUNT);
        (0..9).for_each(|_| backoff.charge("k", NOW));
        assert_eq!(backoff.wait("k", NOW), 16 * SECOND);
        backoff.clear("k");
        assert_eq!((backoff.wait("k", NOW), backoff.len()), (0, 0));
        (0..9).for_each(|_| backoff.charge("k", NOW));
        let later = NOW.plus(Micros::HOUR + 1);
        backoff.charge("k", later);
        assert_eq!(backoff.wait("k", later), 0, "an hour of quiet forgets");
        backoff.tidy(later.plus(Micros::HOUR + 1));
        assert!(backoff.is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_a_wait() {
        let mut backoff = Backoff::new(Limits::ACCOUNT);
        (0..6).for_each(|_| backoff.charge("k", NOW));
        assert_eq!(backoff.wait("k", NOW.minus(Micros::DAY)), 2 * SECOND);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut backoff = Backoff::new(Limits { keys: 3, ..Limits::ACCOUNT });
        for n in 0..10_u64 {
            backoff.charge(&format!("k{n}"), NOW.plus(n));
            backoff.charge("always", NOW.plus(n));
        }
        assert_eq!(backoff.len(), 3);
        assert!(backoff.wait("always", NOW.plus(10)) > 0, "the one that keeps failing was let go");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Fail(u8),
        Succeed(u8),
        GiveBack(u8),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..4_u8).prop_map(Step::Fail),
            1 => (0..4_u8).prop_map(Step::Succeed),
            1 => (0..4_u8).prop_map(Step::GiveBack),
            2 => (0..200 * SECOND).prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// Whatever happens: memory is bounded, no wait is above the cap, and nobody guesses faster than the limits say.
        #[test]
        fn guessing_stays_slow(steps in prop::collection::vec(step(), 0..200)) {
            let limits = Limits { keys: 3, ..Limits::ACCOUNT };
            let mut backoff = Backoff::new(limits);
            let mut now = NOW;
            for step in steps {
                match step {
                    Step::Fail(key) => {
                        let key = key.to_string();
                        if backoff.wait(&key, now) == 0 {
                            backoff.charge(&key, now);
                        }
                    }
                    Step::Succeed(key) => backoff.clear(&key.to_string()),
                    Step::GiveBack(key) => backoff.give_back(&key.to_string()),
                    Step::Pass(micros) => now = now.plus(micros),
                }
                prop_assert!(backoff.len() <= limits.keys);
                for key in 0..4_u8 {
                    prop_assert!(backoff.wait(&key.to_string(), now) <= limits.most);
                }
            }
        }

        /// Failures alone: in any time span the attempts that got through are the free ones and what the doubling allows.
        #[test]
        fn attempts_in_an_hour_are_few(gaps in prop::collection::vec(0..5 * SECOND, 0..2_000)) {
            let mut backoff = Backoff::new(Limits::ACCOUNT);
            let (mut now, mut tried) = (NOW, 0_u64);
            for gap in gaps {
                now = now.plus(gap);
                if backoff.wait("k", now) == 0 {
                    backoff.charge("k", now);
                    tried += 1;
                }
            }
            let minutes = (now.0 - NOW.0) / (60 * SECOND);
            prop_assert!(tried <= 5 + 7 + minutes, "{tried} attempts in {minutes} minutes");
        }
    }
}
