//! Every kind of entry.

use std::collections::BTreeMap;

use quantum_clm::config::JournalStart;
use quantum_clm::domain::event::Level;
use quantum_clm::domain::feed::{Gap, GapCause};
use quantum_clm::domain::time::Micros;
use quantum_clm::sources::journal::{Readable, check};

use super::{Running, Taken, UNIT, config, directory, program, read_all};
use crate::support::journal::{JournalWriter, Line, START};

#[test]
fn messages_of_every_kind() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let long = "x".repeat((1 << 20) + 7);
    writer.append([
        Line::new(UNIT, "plain").set("PRIORITY", "3"),
        Line::new(UNIT, "two\nlines").without("PRIORITY"),
        Line::new(UNIT, b"bad \xff utf8").set("PRIORITY", "x"),
        Line::new(UNIT, &long),
        Line::new(UNIT, "nul \0 esc \x1b[31m"),
        Line::new(UNIT, ""),
        Line::new(UNIT, "unseen").without("MESSAGE"),
        Line::new(UNIT, "first").add("TAG", "a").add("TAG", "b"),
        Line::new(UNIT, "no host").without("_HOSTNAME"),
        Line::new(UNIT, "\n\n__CURSOR=forged\n__REALTIME_TIMESTAMP=1\nMESSAGE=forged\n\n"),
    ]);
    writer.sync();
    let taken = read_all(&config(&path), Taken::default());
    assert_eq!(
        taken.messages(),
        [
            "plain",
            "two\nlines",
            "bad \u{fffd} utf8",
            &long[..8192],
            "nul \0 esc \x1b[31m",
            "",
            "first",
            "no host",
            "\n\n__CURSOR=forged\n__REALTIME_TIMESTAMP=1\nMESSAGE=forged\n\n",
        ]
    );
    let first = &taken.events[0];
    assert_eq!((&*first.source, &*first.host, first.level), ("ai_engine", "fixture", Level::ERROR));
    assert!(taken.events[1..].iter().all(|event| event.level == Level::INFO));
    assert_eq!(taken.events[7].host, "fallback");
}

#[test]
fn whose_entries_count() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let core = "fc2e22bc6ee647b6b90729ab34a250b1";
    writer.append([
        Line::new("init.scope", "Started").set("_PID", "1").set("UNIT", UNIT),
        Line::new("other.service", "forged UNIT").set("UNIT", UNIT),
        Line::new("a.service", "object").set("_UID", "0").set("OBJECT_SYSTEMD_UNIT", UNIT),
        Line::new("other.service", "forged object").set("OBJECT_SYSTEMD_UNIT", UNIT),
        Line::new("c@1.service", "core").set("_UID", "0").set("MESSAGE_ID", core).set("COREDUMP_UNIT", UNIT),
        Line::new("other.service", "forged core").set("MESSAGE_ID", core).set("COREDUMP_UNIT", UNIT),
        Line::new("other.service", "no kind of core").set("_UID", "0").set("COREDUMP_UNIT", UNIT),
        Line::new("quantum-clm.service", "our own"),
    ]);
    writer.sync();
    let mut config = config(&path);
    for units in [vec![UNIT], vec![UNIT, "quantum-*.service"]] {
        config.units = units.into_iter().map(str::to_owned).collect();
        let taken = read_all(&config, Taken::default());
        assert_eq!(taken.messages(), ["Started", "object", "core"]);
        assert!(taken.events.iter().all(|event| event.unit == UNIT));
    }
}

/// The system's journal is a directory here, so that the test's is read in its place.
#[test]
fn lines_that_other_machines_send_here_do_not_count() {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let machine = std::fs::read_to_string("/etc/machine-id").expect("the id that systemd's package makes");
    writer.append([
        Line::new(UNIT, "ours").set("_MACHINE_ID", machine.trim()),
        Line::new(UNIT, "theirs").set("_MACHINE_ID", "f".repeat(32)),
        Line::new(UNIT, "nobody's").without("_MACHINE_ID"),
        Line::new(UNIT, "ours again").set("_MACHINE_ID", machine.trim()),
    ]);
    writer.sync();
    let mut config = config(&path);
    assert_eq!(read_all(&config, Taken::default()).events.len(), 4, "a directory is read as it is");
    config.directory = None;
    config.journalctl = program(guard.path(), &format!("exec journalctl -D {} \"$@\"\n", path.display()));
    assert_eq!(read_all(&config, Taken::default()).messages(), ["ours", "ours again"]);
}

#[test]
fn what_journald_dropped_is_a_gap() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let dropped = |unit: &str| {
        Line::new("systemd-journald.service", format!("Suppressed 1234 messages from {unit}"))
            .set("_UID", "0")
            .set("MESSAGE_ID", "a596d6fe7bfa4994828e72309e95d61e")
    };
    writer.append([
        Line::new(UNIT, "before"),
        dropped(UNIT).set("OBJECT_SYSTEMD_UNIT", UNIT).set("N_DROPPED", "1234"),
        dropped(UNIT),
        dropped("other.service"),
        dropped(UNIT).set("_UID", "1000"),
        Line::new(UNIT, "after"),
    ]);
    writer.sync();
    let taken = read_all(&config(&path), Taken::default());
    let gap = |until| Gap {
        cause: GapCause::Suppressed,
        since: None,
        until: Micros(START + until),
        unit: Some(UNIT.into()),
        lost: Some(1234),
    };
    assert_eq!(taken.gaps, [gap(2000), gap(3000)]);
    let (first, second) = (gap(2000).message(), gap(3000).message());
    assert_eq!(taken.messages(), ["before", &first, &second, "after"]);
    let event = &taken.events[1];
    assert_eq!((&*event.unit, &*event.source, event.level), ("quantum-clm.service", "quantum_clm", Level::WARNING));
}

#[test]
fn an_instance_started_later_is_read_from_its_first_line() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let mut config = config(&path);
    config.units = vec![UNIT.into(), "feed@*.service".into()];
    config.sources = BTreeMap::from([("feed@.service".to_owned(), "feed".to_owned())]);
    writer.append([Line::new("feed@1.service", "one"), Line::new("other.service", "other"), Line::new(UNIT, "engine")]);
    let running = Running::start(&config, Taken::default());
    running.wait_events(2);
    writer.append([Line::new("feed@2.service", "two"), Line::new(UNIT, "engine")]);
    running.wait_events(4);
    let taken = running.stop();
    assert_eq!(taken.messages(), ["one", "engine", "two", "engine"]);
    assert_eq!((&*taken.events[2].unit, &*taken.events[2].source), ("feed@2.service", "feed"));
}

#[test]
fn the_order_is_the_journals_when_the_clock_steps_back() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..10);
    let running = Running::start(&config(&path), Taken::default());
    running.wait_events(10);
    writer.clock -= 3_600_000_000;
    writer.number(UNIT, 10..20);
    running.wait_events(20);
    let taken = running.stop();
    assert_eq!(taken.numbers(), (0..20).collect::<Vec<_>>());
    writer.number(UNIT, 20..30);
    writer.sync();
    let taken = read_all(&config(&path), taken);
    assert_eq!(taken.numbers(), (0..30).collect::<Vec<_>>());
    assert_eq!(taken.gaps, []);
}

#[test]
fn where_the_first_start_begins() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..3);
    writer.boot = "b".repeat(32);
    writer.number(UNIT, 3..6);
    writer.sync();
    for (start, expect) in [(JournalStart::Head, 0..7), (JournalStart::Boot, 3..7), (JournalStart::Now, 6..7)] {
        let mut config = config(&path);
        config.start = start;
        let taken = read_all(&config, Taken::default());
        if start == JournalStart::Head {
            writer.number(UNIT, 6..7);
            writer.sync();
        } else if start == JournalStart::Now {
            assert!(taken.position().is_some() && taken.events.is_empty());
            continue;
        }
        let taken = read_all(&config, taken);
        assert_eq!(taken.numbers(), expect.collect::<Vec<_>>(), "{start:?}");
    }
}

#[test]
fn now_begins_with_the_next_line() {
    let (_guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..6);
    writer.sync();
    let mut config = config(&path);
    config.start = JournalStart::Now;
    let running = Running::start(&config, Taken::default());
    running.wait_caught_up();
    writer.number(UNIT, 6..7);
    running.wait_events(1);
    assert_eq!(running.stop().numbers(), [6]);
}

#[test]
fn a_journal_that_begins_while_it_is_followed() {
    let (_guard, path) = directory();
    let running = Running::start(&config(&path), Taken::default());
    running.wait_caught_up();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..3);
    running.wait_events(3);
}

#[test]
fn preflight() {
    let (_guard, path) = directory();
    let mut config = config(&path);
    config.units.push("feed@*.service".into());
    assert_eq!(check(&config).unwrap().readable, Readable::Empty);
    let mut writer = JournalWriter::new(&path);
    writer.append([Line::new("feed@1.service", "one")]);
    writer.sync();
    let answer = check(&config).unwrap();
    assert_eq!(answer.readable, Readable::Yes);
    assert!(answer.journalctl.unwrap().starts_with("systemd "));
    let seen: Vec<_> = answer.units.iter().map(|unit| (unit.name.as_str(), unit.seen.join(" "))).collect();
    assert_eq!(seen, [(UNIT, String::new()), ("feed@*.service", "feed@1.service".into())]);
    config.directory = Some(path.join("nowhere"));
    let answer = check(&config).unwrap();
    assert!(answer.failure().unwrap().remedy.contains("journal.directory"), "{answer:?}");
    config.journalctl = "/nowhere/journalctl".into();
    let answer = check(&config).unwrap();
    assert!(answer.failure().unwrap().remedy.contains("install systemd"), "{answer:?}");
}
