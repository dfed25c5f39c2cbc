//! journald numbers the entries of one sequence without a hole, over all its files, and the number is in the cursor. So it
//! shows when journalctl passes over an entry without a word, as it does while it follows several matches, and as nothing
//! promises that it does not with several files that are written at the same time.

use std::time::{Duration, Instant};

/// So many holes in a row that the journal itself has, and holes are the rule here: files that we may not read, or that
/// were vacuumed while others of the same time are left.
const USUAL: u32 = 16;

/// How often a hole is then still looked into.
const PAUSE: Duration = Duration::from_secs(1);

/// The numbers of the entries as they come.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    last: Option<(u128, u64)>,
    real: u32,
    looked: Option<Instant>,
}

impl Sequence {
    /// The sequence after the entry of `cursor`.
    pub(super) fn after(cursor: Option<&str>) -> Self {
        Self { last: cursor.and_then(|cursor| numbers(cursor.as_bytes())), ..Self::default() }
    }

    /// Takes the next entry's number. Whether numbers are missing before it, and it is worth asking the journal why.
    pub(super) fn leaps_to(&mut self, cursor: &[u8]) -> bool {
        let last = std::mem::replace(&mut self.last, numbers(cursor));
        let (Some((before, from)), Some((sequence, to))) = (last, self.last) else { return false };
        before == sequence
            && to > from.saturating_add(1)
            && (self.real < USUAL || self.looked.is_none_or(|looked| looked.elapsed() >= PAUSE))
    }

    /// The journal itself has no entry in that hole.
    pub(super) fn is_real(&mut self) {
        self.real = self.real.saturating_add(1);
        self.looked = Some(Instant::now());
    }
}

/// The sequence's id and the number in it, of a cursor such as `s=<32 hex digits>;i=<hex>;b=…`.
fn numbers(cursor: &[u8]) -> Option<(u128, u64)> {
    let rest = cursor.strip_prefix(b"s=")?;
    let (id, rest) = rest.split_at_checked(32)?;
    let rest = rest.strip_prefix(b";i=")?;
    let end = memchr::memchr(b';', rest)?;
    Some((hex(id)?, u64::try_from(hex(rest.get(..end)?)?).ok()?))
}

fn hex(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    digits.iter().try_fold(0_u128, |number, &digit| Some(number << 4 | u128::from((digit as char).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(sequence: char, number: u64) -> String {
        format!("s={};i={number:x};b=0;m=1;t=2;x=3", sequence.to_string().repeat(32))
    }

    #[test]
    fn a_leap_within_a_sequence_and_nothing_else() {
        let mut numbers = Sequence::after(Some(&cursor('a', 9)));
        let steps = [
            ('a', 10, false),
            ('a', 12, true),
            ('a', 13, false),
            ('b', 400, false),
            ('b', 400, false),
            ('a', 1, false),
        ];
        for (sequence, number, leaps) in steps {
            assert_eq!(numbers.leaps_to(cursor(sequence, number).as_bytes()), leaps, "{sequence} {number}");
        }
        for odd in ["", "s=1;i=2", "s=00000000000000000000000000000000;i=;b=0", "something else"] {
            assert!(!numbers.leaps_to(odd.as_bytes()), "{odd}");
        }
    }

    #[test]
    fn where_holes_are_the_rule_they_are_looked_into_now_and_then_only() {
        let mut numbers = Sequence::default();
        let looked = (0..1_000_u64)
            .filter(|number| {
                let leaps = numbers.leaps_to(cursor('a', number * 2).as_bytes());
                if leaps {
                    numbers.is_real();
                }
                leaps
            })
            .count();
        assert!((16..20).contains(&looked), "{looked} probes for a thousand holes in no time");
    }
}
