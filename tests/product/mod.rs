//! The product as its users meet it: the real binary, a real journal, a real Redis.

#[cfg(feature = "failpoints")]
mod deploy;
mod bus;
mod bus_in;
mod disk;
mod exactly_once;
#[cfg(feature = "failpoints")]
mod failpoints;
mod intents;
mod live;
mod predecessor;
mod publish;
mod resumed;
mod several_units;
mod stop;
mod uploads;

use std::collections::BTreeMap;

use quantum_clm::domain::event::Level;
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::time::{Hour, Micros};
use quantum_clm::store::{CounterFilter, Store};
use serde_json::Value;

use crate::support::daemon::{Bed, UNITS};
use crate::support::journal::{JournalWriter, Line};
use crate::support::redis::RedisServer;

pub(crate) const STREAM: &str = "quantum:stream:utf";
const INTENTS: &str = "quantum:stream:clm.intent";

const HOUR: u64 = Micros::HOUR;

/// The beginning of the hour that it is: what is written there is the present for the rules, and in one hour.
pub(crate) fn this_hour() -> u64 {
    let now = quantum_clm::observe::now().0;
    now - now % HOUR
}

/// A journal of numbered lines over all units, and the counters that follow from them.
pub(crate) struct Numbered {
    pub(crate) writer: JournalWriter,
    /// The next number.
    pub(crate) next: u64,
    /// By Redis key.
    pub(crate) counters: BTreeMap<String, u64>,
}

impl Numbered {
    pub(crate) fn new(bed: &Bed, clock: u64) -> Self {
        let mut writer = JournalWriter::new(&bed.journal());
        writer.clock = clock;
        Self { writer, next: 0, counters: BTreeMap::new() }
    }

    pub(crate) fn append(&mut self, count: u64) {
        let mut lines = Vec::new();
        for at in 0..count {
            let number = self.next + at;
            let unit = UNITS[(number % 4) as usize];
            let hour = Micros(self.writer.clock + (at + 1) * 1_000).hour();
            let mut count = |kind: &str, name: &str| {
                *self.counters.entry(format!("quantum:clm:{kind}:{name}:{hour}")).or_default() += 1;
            };
            let mut line = Line::new(unit, format!("number {number}"));
            count("count", unit);
            if number.is_multiple_of(5) {
                line = line.set("MESSAGE", format!("number {number} about INJUSDT"));
                count("symbol", "INJUSDT");
            }
            // Coprime to the number of units, so that each gets its share.
            if number.is_multiple_of(25) {
                line = line.set("PRIORITY", "3");
                count("errors", unit);
            }
            lines.push(line);
        }
        self.writer.append(lines);
        self.next += count;
    }
}

pub(crate) fn number_of(message: &str) -> Option<u64> {
    message.strip_prefix("number ")?.split(' ').next()?.parse().ok()
}

/// All events of a data file that no daemon has: id, unit, message.
pub(crate) fn stored(bed: &Bed) -> Vec<(EventId, String, String)> {
    let store = Store::open(bed.data_file()).unwrap();
    let mut all: Vec<(EventId, String, String)> = Vec::new();
    loop {
        let after = all.last().map_or(EventId::ZERO, |(id, ..)| *id);
        let events = store.events_after(after, 10_000).unwrap();
        if events.is_empty() {
            break;
        }
        all.extend(events.iter().map(|event| (event.id, event.unit.to_owned(), event.message.to_owned())));
    }
    store.close();
    all
}

/// Fails with the first difference, not with 50,000 numbers.
#[track_caller]
pub(crate) fn assert_each_once(what: &str, numbers: &[u64], count: u64) {
    let wrong = numbers.iter().zip(0..).position(|(number, expected)| *number != expected);
    if let Some(at) = wrong {
        let around = &numbers[at.saturating_sub(3)..(at + 4).min(numbers.len())];
        panic!("{what}: not {at} at place {at} of {}, but {around:?} around it", numbers.len());
    }
    assert_eq!(numbers.len() as u64, count, "{what}: the end is missing, or there is too much");
}

/// The stopped daemon's data file holds every number once, in order, nothing else, and the counters add up.
#[track_caller]
fn assert_stored(bed: &Bed, journal: &Numbered) {
    let events = stored(bed);
    let others: Vec<_> = events.iter().filter(|(.., message)| number_of(message).is_none()).collect();
    assert!(others.is_empty(), "{} events that nobody wrote: {:?}", others.len(), others[0]);
    let numbers: Vec<u64> = events.iter().filter_map(|(.., message)| number_of(message)).collect();
    assert_each_once("the store", &numbers, journal.next);
    assert!(events.is_sorted_by(|a, b| a.0 < b.0), "ids that do not rise");
    assert_counted(bed, journal);
}

/// The counters of the stopped daemon's data file are those of the journal.
#[track_caller]
pub(crate) fn assert_counted(bed: &Bed, journal: &Numbered) {
    let store = Store::open(bed.data_file()).unwrap();
    let counters: BTreeMap<_, _> = store
        .counters(&CounterFilter::default(), usize::MAX)
        .unwrap()
        .into_iter()
        .map(|counter| {
            let (kind, name, hour) = (counter.kind.redis_word(), counter.name, counter.hour);
            (format!("quantum:clm:{kind}:{name}:{hour}"), counter.count)
        })
        .collect();
    store.close();
    assert_eq!(counters, journal.counters, "the store's counters");
}

/// Redis holds what the stopped daemon's data file holds: events under their ids, counters.
#[track_caller]
fn assert_mirrored(bed: &Bed, redis: &mut RedisServer, journal: &Numbered) {
    let entries = redis.entries(STREAM, "event");
    let events: Vec<(String, Value)> = entries
        .into_iter()
        .map(|(id, event)| (id, serde_json::from_str(&event.expect("a field named event")).unwrap()))
        .collect();
    let numbers: Vec<u64> =
        events.iter().filter_map(|(_, event)| number_of(event["message"].as_str().unwrap())).collect();
    assert_each_once("the stream", &numbers, journal.next);
    assert_eq!(events.len() as u64, journal.next, "entries that nobody wrote");
    let stored = stored(bed);
    let differs = events.iter().zip(&stored).find(|((id, event), (stored, unit, _))| {
        *id != stored.to_string() || event["id"] != *id || event["unit"] != *unit
    });
    assert_eq!(differs, None, "an entry with another id or unit than the event");
    assert_counters_mirrored(redis, journal);
}

/// The counters in Redis are those of the journal.
#[track_caller]
pub(crate) fn assert_counters_mirrored(redis: &mut RedisServer, journal: &Numbered) {
    let keys: Vec<String> = redis.run(&["KEYS", "quantum:clm:*"]);
    let counters: BTreeMap<String, u64> =
        keys.into_iter().map(|key| (key.clone(), redis.run(&["GET", &key]))).collect();
    assert_eq!(counters, journal.counters, "the counters in Redis");
}

/// The intents' messages.
fn intent_messages(redis: &mut RedisServer) -> Vec<Value> {
    let entries = redis.entries(INTENTS, "intent");
    entries.into_iter().map(|(_, intent)| serde_json::from_str(&intent.expect("a field")).unwrap()).collect()
}

fn error_line(unit: &str, message: &str) -> Line {
    Line::new(unit, message).set("PRIORITY", Level::ERROR.priority().to_string())
}

fn hour_of(micros: u64) -> Hour {
    Micros(micros).hour()
}
