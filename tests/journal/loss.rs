//! What was lost is said, and nothing else is lost.

use quantum_clm::domain::feed::{GapCause, Position};

use super::{Running, Taken, UNIT, config, directory, read_all};
use crate::support::journal::JournalWriter;
use crate::support::wait_for;

fn causes(taken: &Taken) -> Vec<GapCause> {
    taken.gaps.iter().map(|gap| gap.cause).collect()
}

#[test]
fn rotation_and_vacuum_under_a_reader_that_keeps_up_lose_nothing() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let running = Running::start(&config(&path), Taken::default());
    for round in 0..6 {
        writer.number(UNIT, round * 100..(round + 1) * 100);
        running.wait_events((round as usize + 1) * 100);
        writer.rotate();
        if round > 1 {
            writer.vacuum(1);
        }
    }
    let taken = running.stop();
    assert_eq!(taken.numbers(), (0..600).collect::<Vec<_>>());
    assert_eq!(taken.gaps, []);
}

#[test]
fn vacuumed_while_nobody_read() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let taken = read_all(&config, Taken::default());
    writer.number(UNIT, 10..20);
    writer.rotate();
    writer.number(UNIT, 20..30);
    writer.rotate();
    writer.vacuum(1);
    let taken = read_all(&config, taken);
    assert_eq!(causes(&taken), [GapCause::Vacuumed]);
    let expect: Vec<u64> = (0..10).chain(20..30).collect();
    assert_eq!(taken.numbers(), expect);
    assert_eq!(taken.messages()[10], taken.gaps[0].message());
    let again = read_all(&config, taken);
    assert_eq!((again.gaps.len(), again.numbers()), (1, expect));
}

#[test]
fn vacuumed_under_a_reader_that_is_held_up() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    for file in 0..10 {
        writer.number(UNIT, file * 3000..(file + 1) * 3000);
        writer.rotate();
    }
    let running = Running::start_gated(&config, Taken::default(), true);
    // When the first delivery is held up, journalctl can be ahead by the pipe and our buffer: less than three files.
    wait_for("a delivery held up", || running.is_held());
    writer.vacuum(8);
    running.set_gate(false);
    running.wait("the last number", |taken| taken.numbers().last() == Some(&29_999));
    running.wait_caught_up();
    let taken = running.stop();
    let numbers = taken.numbers();
    assert!(numbers.is_sorted_by(|a, b| a < b), "repeated or out of order");
    assert!(numbers.len() < 30_000 && numbers.ends_with(&(24_000..30_000).collect::<Vec<_>>()));
    assert_eq!(causes(&taken), [GapCause::Vacuumed]);
}

#[test]
fn a_journal_set_back_to_an_earlier_state() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    writer.number(UNIT, 0..10);
    let earlier = writer.snapshot();
    writer.number(UNIT, 10..20);
    writer.sync();
    let taken = read_all(&config, Taken::default());
    writer.restore(&earlier);

    // Nothing new yet: it is said, once, and nothing is repeated.
    let taken = read_all(&config, taken);
    assert_eq!(causes(&taken), [GapCause::CursorUnknown]);
    assert_eq!(taken.numbers(), (0..20).collect::<Vec<_>>());

    // The new entries have sequence numbers that were used before.
    writer.number(UNIT, 20..25);
    writer.sync();
    let taken = read_all(&config, taken);
    assert_eq!(taken.numbers(), (0..25).collect::<Vec<_>>());
    assert_eq!(causes(&taken), [GapCause::CursorUnknown]);
}

#[test]
fn set_back_and_grown_before_we_look() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    writer.number(UNIT, 0..10);
    let earlier = writer.snapshot();
    writer.number(UNIT, 10..20);
    writer.sync();
    let taken = read_all(&config, Taken::default());
    writer.restore(&earlier);
    for number in 20..60 {
        writer.number(UNIT, number..=number);
    }
    writer.sync();
    let taken = read_all(&config, taken);
    assert_eq!(taken.numbers(), (0..60).collect::<Vec<_>>());
    assert_eq!(causes(&taken), [GapCause::CursorUnknown]);
}

#[test]
fn a_cursor_that_is_none() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let config = config(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let mut taken = read_all(&config, Taken::default());
    let (last, events) = taken.positions.pop().unwrap();
    taken.positions.push((Position { cursor: "rubbish".into(), ts: last.ts }, events));
    writer.number(UNIT, 10..20);
    writer.sync();
    let taken = read_all(&config, taken);
    assert_eq!(taken.numbers(), (0..20).collect::<Vec<_>>());
    assert_eq!(causes(&taken), [GapCause::CursorUnknown]);
}
