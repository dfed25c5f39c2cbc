//! Exactly once, wherever the reader is stopped.

use super::{Running, Taken, UNIT, config, directory, read_all};
use crate::support::journal::{JournalWriter, Line};

/// A small generator of our own (xorshift), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// As if the transactions after `position` had never been committed.
fn revert(mut taken: Taken, position: usize) -> Taken {
    taken.positions.truncate(position);
    let events = taken.positions.last().map_or(0, |&(_, events)| events);
    taken.events.truncate(events);
    taken
}

#[test]
fn every_number_once_and_in_order() {
    let mut random = Random(0x5eed_1234_abcd_0001);
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    let mut written = 0;
    let mut taken = Taken::default();
    for round in 0..40 {
        let running = Running::start(&config, taken);
        let kill_at = running.taken().events.len() + random.below(700) as usize;
        for _ in 0..random.below(4) {
            let more = random.below(300) + 1;
            writer.number(UNIT, written..written + more);
            writer.append([Line::new("other.service", "other")]);
            written += more;
            if random.below(8) == 0 {
                writer.rotate();
            }
        }
        let kill_at = kill_at.min(written as usize);
        running.wait(&format!("{kill_at} events in round {round}"), |taken| taken.events.len() >= kill_at);
        taken = running.stop();
        // A crash loses what was not committed.
        if random.below(2) == 0 && !taken.positions.is_empty() {
            let keep = taken.positions.len() - random.below(taken.positions.len().min(4) as u64) as usize;
            taken = revert(taken, keep);
        }
    }
    writer.sync();
    let taken = read_all(&config, taken);
    assert_eq!(taken.numbers(), (0..written).collect::<Vec<_>>());
    assert_eq!(taken.gaps, []);
}

#[test]
fn every_single_position_is_a_place_to_go_on_from() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    let running = Running::start(&config, Taken::default());
    for number in 0..12 {
        writer.number(UNIT, number..=number);
        running.wait_events(number as usize + 1);
    }
    let taken = running.stop();
    writer.sync();
    for position in 0..=taken.positions.len() {
        let again = read_all(&config, revert(taken.clone(), position));
        assert_eq!(again.numbers(), (0..12).collect::<Vec<_>>(), "from position {position}");
    }
}

#[test]
fn other_units_configured_meanwhile_are_no_gap() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let mut config = config(&path);
    config.units.push("gone.service".into());
    writer.append([Line::new(UNIT, "one"), Line::new("gone.service", "two")]);
    writer.sync();
    let taken = read_all(&config, Taken::default());
    config.units.pop();
    writer.append([Line::new("gone.service", "three"), Line::new(UNIT, "four")]);
    writer.sync();
    let taken = read_all(&config, taken);
    assert_eq!(taken.messages(), ["one", "two", "four"]);
    assert_eq!(taken.gaps, []);
}
