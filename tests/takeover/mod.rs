//! From the predecessor to us: its history, its units, the real binary with a real journal and a real Redis. `systemctl` is
//! a stand-in here; under a real systemd the boxes of `tests/appliance` do the same.

#[cfg(feature = "failpoints")]
mod failpoints;
mod history;
mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use quantum_clm::domain::id::EventId;
use quantum_clm::domain::time::Micros;
use quantum_clm::store::{CounterFilter, Store};
use serde_json::{Value, json};

use crate::support::daemon::{Bed, UNITS};
use crate::support::journal::{JournalWriter, Line};
use crate::support::redis::RedisServer;

const STREAM: &str = "quantum:stream:utf";
const PUBLISHER: &str = "quantum-utf-publisher.service";
const COUNTER: &str = "quantum-clm-minimal.service";

/// What keeps its state in files: `units/<name>` holds what `systemctl show` prints, `calls` every change.
const SYSTEMCTL: &str = r#"#!/bin/sh
at=$(dirname "$0")/../machine
change() { for unit in $3; do
    [ -e "$at/units/$unit" ] || { echo "Unit $unit could not be found." >&2; exit 5; }
    sed -i "s/^ActiveState=.*/ActiveState=$1/; s/^UnitFileState=.*/UnitFileState=$2/" "$at/units/$unit"
done; }
case "$1" in
is-active)
    shift
    for unit; do sed -n 's/^ActiveState=//p' "$at/units/$unit" 2>/dev/null | grep . || echo inactive; done ;;
show) cat "$at/units/$3" 2>/dev/null || printf 'LoadState=not-found\nActiveState=inactive\n' ;;
daemon-reload)
    echo "$*" >> "$at/calls"
    [ -e "$at/root/etc/systemd/system/quantum-clm.service" ] || cp "$at/ours" "$at/units/quantum-clm.service" ;;
disable) echo "$*" >> "$at/calls"; shift 2; change inactive disabled "$*" ;;
enable) echo "$*" >> "$at/calls"
    if [ "$2" = --now ]; then shift 2; change active enabled "$*"; else shift; change inactive enabled "$*"; fi ;;
start) echo "$*" >> "$at/calls"; shift; change active enabled "$*" ;;
*) exit 2 ;;
esac
"#;

/// A machine with the predecessor on it: its stream, the journal, units that can be stopped.
struct World {
    redis: RedisServer,
    bed: Bed,
    journal: JournalWriter,
    /// The time of line 0, less a millisecond.
    start: u64,
    /// Lines there are.
    lines: u64,
    counters: BTreeMap<String, u64>,
}

impl World {
    /// Nothing runs; the lines will be ten minutes old. A rule that saw what the journal brings and the history beside it
    /// would find too many errors, one that sees the journal alone does not.
    fn new() -> Self {
        let redis = RedisServer::started(&[]);
        let bed =
            Bed::new(&redis.url(), &["events.commit_interval = \"50ms\"", "rules.error_rate.threshold_per_hour = 30"]);
        let start = quantum_clm::observe::now().minus(600 * Micros::SECOND).0;
        let mut journal = JournalWriter::new(&bed.journal());
        journal.clock = start;
        let programs = bed.path().join("programs");
        for directory in ["programs", "machine/units", "machine/root"] {
            fs::create_dir_all(bed.path().join(directory)).unwrap();
        }
        fs::write(programs.join("systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(programs.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        bed.programs_first(&programs);
        Self { redis, bed, journal, start, lines: 0, counters: BTreeMap::new() }
    }

    fn machine(&self) -> PathBuf {
        self.bed.path().join("machine")
    }

    /// Puts a unit on the machine.
    fn unit(&self, name: &str, active: bool, exec: &str) {
        let (active, enabled) = if active { ("active", "enabled") } else { ("inactive", "disabled") };
        let file = self.machine().join("root/etc/systemd/system").join(name);
        let shown = format!(
            "LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\nFragmentPath={}\nUser=\n\
             ExecStart={{ path=x ; argv[]={exec} ; ignore_errors=no }}\n",
            file.display()
        );
        fs::write(self.machine().join("units").join(name), shown).unwrap();
    }

    fn time_of(&self, number: u64) -> u64 {
        self.start + (number + 1) * 1_000
    }

    /// Lines that were written before the journal was lost.
    fn forget(&mut self, count: u64) {
        (0..count).for_each(|number| self.count(number));
        self.journal.clock += count * 1_000;
        self.lines += count;
    }

    /// Writes lines to the journal.
    fn write(&mut self, count: u64) {
        let lines: Vec<Line> = (self.lines..self.lines + count)
            .map(|number| {
                self.count(number);
                let priority = if is_error(number) { "3" } else { "6" };
                Line::new(unit_of(number), message(number)).set("PRIORITY", priority)
            })
            .collect();
        self.journal.append(lines);
        self.journal.sync();
        self.lines += count;
    }

    fn count(&mut self, number: u64) {
        let hour = Micros(self.time_of(number)).hour();
        let mut add = |kind: &str, name: &str| {
            *self.counters.entry(format!("quantum:clm:{kind}:{name}:{hour}")).or_default() += 1;
        };
        add("count", unit_of(number));
        if number.is_multiple_of(5) {
            add("symbol", "INJUSDT");
        }
        if is_error(number) {
            add("errors", unit_of(number));
        }
    }

    /// What the predecessor publishes for a line: its ids are Redis' own, given when it came to the line.
    fn publish(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let ts = self.time_of(number);
            let id = format!("{}-{}", ts / 1_000 + 40, 0);
            let level = if is_error(number) { "3" } else { "6" };
            let tags: &[&str] = if is_error(number) { &["error"] } else { &[] };
            let event = json!({
                "ts": ts.to_string(), "unit": unit_of(number), "level": level, "message": message(number),
                "symbol": null, "correlation_id": null, "source": "ai_engine", "host": "fixture", "tags": tags,
            });
            self.add(&id, &["event", &event.to_string()]);
        }
    }

    fn add(&mut self, id: &str, fields: &[&str]) {
        self.redis.run::<String>(&[&["XADD", STREAM, id], fields].concat());
    }

    /// What stands in the stream: id, whether it is ours, number of the line.
    fn stream(&mut self) -> Vec<(String, bool, u64)> {
        let entries = self.redis.entries(STREAM, "event");
        let read = |(id, event): (String, Option<String>)| {
            let event: Value = serde_json::from_str(&event?).ok()?;
            Some((id, event.get("id").is_some(), number_of(event["message"].as_str()?)?))
        };
        entries.into_iter().filter_map(read).collect()
    }

    /// What the stopped daemon has: id and number.
    fn stored(&self) -> Vec<(EventId, u64)> {
        let store = Store::open(self.bed.data_file()).unwrap();
        let mut all: Vec<(EventId, u64)> = Vec::new();
        loop {
            let after = all.last().map_or(EventId::ZERO, |(id, _)| *id);
            let events = store.events_after(after, 10_000).unwrap();
            if events.is_empty() {
                break;
            }
            all.extend(events.iter().map(|event| {
                (event.id, number_of(event.message).unwrap_or_else(|| panic!("nobody wrote {:?}", event.message)))
            }));
        }
        store.close();
        all
    }

    /// Every line once in the stopped daemon's file and once in the stream; the file's first `history` events under the
    /// stream's ids; the counters add up; and no rule saw the history.
    #[track_caller]
    fn assert_whole(&mut self, history: u64) {
        let stored = self.stored();
        assert!(stored.is_sorted_by(|a, b| a.0 < b.0), "ids that do not rise");
        assert_each_once("the store", stored.iter().map(|(_, number)| *number), self.lines);
        let stream = self.stream();
        assert_each_once("the stream", stream.iter().map(|(.., number)| *number), self.lines);
        let in_stream: BTreeMap<u64, (String, bool)> =
            stream.into_iter().map(|(id, ours, number)| (number, (id, ours))).collect();
        for (at, (id, number)) in stored.iter().enumerate() {
            let (entry, ours) = &in_stream[number];
            if (at as u64) < history {
                assert_eq!((entry, *ours), (&id.to_string(), false), "line {number} keeps its id and is not mirrored");
            }
        }
        let store = Store::open(self.bed.data_file()).unwrap();
        let counters: BTreeMap<String, u64> = store
            .counters(&CounterFilter::default(), usize::MAX)
            .unwrap()
            .into_iter()
            .map(|counter| {
                (format!("quantum:clm:{}:{}:{}", counter.kind.redis_word(), counter.name, counter.hour), counter.count)
            })
            .collect();
        let intents = store.intents(None, None, quantum_clm::domain::id::IntentId(u64::MAX), 10).unwrap();
        store.close();
        assert_eq!(counters, self.counters);
        assert_eq!(intents, []);
    }
}

fn unit_of(number: u64) -> &'static str {
    UNITS[(number % 4) as usize]
}

fn is_error(number: u64) -> bool {
    number.is_multiple_of(25)
}

fn message(number: u64) -> String {
    let about = if number.is_multiple_of(5) { " about INJUSDT" } else { "" };
    format!("number {number}{about}")
}

fn number_of(message: &str) -> Option<u64> {
    message.strip_prefix("number ")?.split(' ').next()?.parse().ok()
}

#[track_caller]
fn assert_each_once(what: &str, numbers: impl Iterator<Item = u64>, count: u64) {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    let wrong = numbers.iter().zip(0..).find(|(number, expected)| *number != expected);
    assert_eq!((wrong, numbers.len() as u64), (None, count), "{what}: (found, expected) where they first differ");
}
