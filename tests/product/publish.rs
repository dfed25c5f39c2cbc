//! What programs publish: stored once, in order, under the ids that they were told, whatever dies in between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Numbered, STREAM, assert_each_once, number_of, stored, this_hour};
use crate::support::ask::{Answer, ask};
use crate::support::daemon::{Bed, Disk, UNITS};
use crate::support::redis::RedisServer;
use crate::support::{DEADLINE, Random, wait_for, wait_for_some};

const LINES: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");

const PUBLISHERS: u64 = 4;

fn unit(publisher: u64) -> String {
    format!("publisher-{publisher}.service")
}

/// `count` events of a publisher, numbered from `first`.
fn lines(publisher: u64, first: u64, count: u64) -> String {
    let line = |number| {
        let mut event = json!({
            "unit": unit(publisher), "message": format!("number {number}"), "fields": { "trade_id": number },
        });
        if number % 25 == 0 {
            event["level"] = json!("error");
        }
        event.to_string() + "\n"
    };
    (first..first + count).map(line).collect()
}

fn publish(socket: &Path, key: &str, body: &str) -> Option<Answer> {
    ask(socket, "POST", "/api/events", &[LINES, ("idempotency-key", key)], body)
}

#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 202, "{answer:?}");
    serde_json::from_value(answer.json()["ids"].clone()).unwrap()
}

/// Sends batches, each until it is answered, some of them once more after that. The id of each number.
fn run(socket: &Path, publisher: u64, mut random: Random, acknowledged: &AtomicU64, until: &AtomicBool) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut batch = 0;
    while !until.load(Ordering::SeqCst) {
        let count = random.below(60) + 1;
        let body = lines(publisher, told.len() as u64, count);
        let key = format!("{publisher} {batch}");
        let answer = wait_for_some(
            || publish(socket, &key, &body).filter(|answer| answer.status != 503),
            || format!("batch {key} is stored"),
        );
        let first = ids(&answer);
        assert_eq!(first.len() as u64, count);
        if random.below(4) == 0
            && let Some(again) = publish(socket, &key, &body)
            && again.status != 503
        {
            assert_eq!(ids(&again), first, "the same batch, and other ids");
        }
        told.extend(first);
        batch += 1;
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    told
}

#[test]
fn every_published_event_once_in_store_counters_and_stream() {
    let kills: u64 = std::env::var("QUANTUM_CLM_SOAK_KILLS").map_or(12, |kills| kills.parse().expect("a number"));
    let seed = std::env::var("QUANTUM_CLM_SOAK_SEED")
        .map_or_else(|_| quantum_clm::observe::now().0, |seed| seed.parse().expect("a number"));
    println!("QUANTUM_CLM_SOAK_SEED={seed} QUANTUM_CLM_SOAK_KILLS={kills}");
    let mut random = Random(seed);
    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    let (acknowledged, until) = (AtomicU64::new(0), AtomicBool::new(false));
    let socket = bed.socket();
    let told: Vec<Vec<String>> = std::thread::scope(|threads| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (socket, acknowledged, until, random) = (&socket, &acknowledged, &until, Random(random.next()));
                threads.spawn(move || run(socket, publisher, random, acknowledged, until))
            })
            .collect();
        for _ in 0..kills {
            let mut daemon = bed.start();
            // Both lanes have something.
            journal.append(random.below(2_000) + 1);
            let wanted = acknowledged.load(Ordering::SeqCst) + random.below(12);
            wait_for("some batches are stored", || daemon.has_ended() || acknowledged.load(Ordering::SeqCst) >= wanted);
            // The random delay is the moment of death itself.
            std::thread::sleep(Duration::from_micros(random.below(60_000)));
            daemon.kill();
        }
        until.store(true, Ordering::SeqCst);
        let mut daemon = bed.start();
        let told: Vec<_> = publishers.into_iter().map(|publisher| publisher.join().expect("a publisher")).collect();
        journal.writer.sync();
        let all = journal.next + told.iter().map(|ids| ids.len() as u64).sum::<u64>();
        daemon.wait_events(all);
        wait_for("Redis has all events", || redis.run::<u64>(&["XLEN", STREAM]) >= all);
        let status = daemon.status().unwrap();
        assert_eq!((&status["gaps"], &status["events"]), (&0.into(), &all.into()), "gaps, events");
        let counted = daemon.get("/api/counters?kind=unit").unwrap();
        let counted: Value = serde_json::from_str(&counted).unwrap();
        for (publisher, ids) in told.iter().enumerate() {
            let of_unit = |counter: &&Value| counter["name"] == unit(publisher as u64);
            let hours = counted["counters"].as_array().unwrap().iter().filter(of_unit);
            let sum: u64 = hours.map(|counter| counter["count"].as_u64().unwrap()).sum();
            assert_eq!(sum, ids.len() as u64, "the counter of publisher {publisher}");
        }
        daemon.stop();
        told
    });

    let events = stored(&bed);
    let of = |unit: &dyn Fn(&str) -> bool| -> Vec<u64> {
        events.iter().filter(|(_, of, _)| unit(of)).map(|(.., message)| number_of(message).unwrap()).collect()
    };
    assert_each_once("the journal's lines", &of(&|unit| UNITS.contains(&unit)), journal.next);
    for (publisher, told) in told.iter().enumerate() {
        let name = unit(publisher as u64);
        assert_each_once(&name, &of(&|unit| unit == name), told.len() as u64);
        let ids = events.iter().filter(|(_, unit, _)| *unit == name).map(|(id, ..)| id.to_string());
        assert!(ids.eq(told.iter().cloned()), "{name} was told other ids than those under which its events are");
    }
    let entries = redis.entries(STREAM, "event");
    let in_stream: Vec<String> = entries.iter().map(|(id, _)| id.clone()).collect();
    assert!(in_stream.iter().cloned().eq(events.iter().map(|(id, ..)| id.to_string())), "the stream's ids");
    for (id, event) in &entries {
        let event: Value = serde_json::from_str(event.as_ref().unwrap()).unwrap();
        let published = event["unit"].as_str().unwrap().starts_with("publisher-");
        let number = number_of(event["message"].as_str().unwrap());
        assert_eq!(event["fields"]["trade_id"].as_u64(), number.filter(|_| published), "{id}: {event}");
    }
}

/// The daemon dies at `place` with a publication under way; sent again it is there once, under the ids that are told.
#[cfg(feature = "failpoints")]
#[track_caller]
fn dies_at(place: &str) {
    use std::os::unix::process::ExitStatusExt as _;
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    // It commits by itself too, above all at its start: a tick, what retention finds, what was left of work.
    let mut daemon = bed.spawn(&format!("{place}=10*off->return"));
    daemon.wait("an answer", |_| true);
    let batch = |number: u64| lines(0, number * 5, 5);
    let key = |number: u64| format!("batch {number}");
    let mut told: Vec<Vec<String>> = Vec::new();
    while let Some(answer) = publish(&bed.socket(), &key(told.len() as u64), &batch(told.len() as u64)) {
        told.push(ids(&answer));
        assert!(told.len() < 20, "it does not die at {place}");
    }
    assert_eq!(daemon.wait_end().signal(), Some(6));

    let daemon = bed.start();
    let again = |number: u64| ids(&publish(&bed.socket(), &key(number), &batch(number)).unwrap());
    for (number, told) in (0..).zip(&told) {
        assert_eq!(again(number), *told, "batch {number}, which was answered before");
    }
    told.push(again(told.len() as u64));
    assert_eq!(again(told.len() as u64 - 1), told[told.len() - 1]);
    daemon.stop();
    let events: Vec<_> = stored(&bed).into_iter().map(|(id, _, message)| (id.to_string(), message)).collect();
    let expected: Vec<_> =
        told.into_iter().flatten().enumerate().map(|(number, id)| (id, format!("number {number}"))).collect();
    assert_eq!(events, expected);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_before_the_commit() {
    dies_at("store.commit.before");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_between_the_commit_and_the_answer() {
    dies_at("store.commit.after");
    dies_at("pipeline.committed");
}

#[test]
fn the_same_at_the_same_time_is_stored_once() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let daemon = bed.start();
    let socket = bed.socket();
    let body = lines(0, 0, 10);
    let told: BTreeSet<Vec<String>> = std::thread::scope(|threads| {
        let sent: Vec<_> =
            (0..16).map(|_| threads.spawn(|| ids(&publish(&socket, "one", &body).expect("an answer")))).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    assert_eq!(told.len(), 1, "{told:?}");
    let other = publish(&socket, "one", &lines(0, 0, 9)).unwrap();
    assert!(other.status == 409 && other.body.contains("used for other events"), "{other:?}");
    // Without a key it is another publication.
    let anew = ids(&ask(&socket, "POST", "/api/events", &[LINES], &body).unwrap());
    assert!(!told.contains(&anew));
    daemon.stop();
    assert_eq!(stored(&bed).len(), 20);
}

#[test]
fn a_bad_line_takes_the_batch_with_it() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let daemon = bed.start();
    let send = |headers: &[(&str, &str)], body: &str| ask(&bed.socket(), "POST", "/api/events", headers, body).unwrap();
    let bad = format!("{}{{\"unit\": \"u\", \"message\": \"m\", \"price\": 3}}\nnonsense\n", lines(0, 0, 2));
    let answer = send(&[LINES], &bad);
    assert_eq!(answer.status, 422, "{answer:?}");
    let detail = answer.json()["detail"].clone();
    assert_eq!((&detail[0]["loc"], &detail[1]["loc"]), (&json!(["body", "3", "price"]), &json!(["body", "4"])));
    let one = send(&[JSON], "{\"unit\": \"u\"}");
    assert_eq!((one.status, &one.json()["detail"][0]["loc"]), (422, &json!(["body", "message"])));
    for (headers, body, status) in [
        (&[][..], "{}", 415),
        (&[("content-type", "text/plain")][..], "{}", 415),
        (&[LINES, ("idempotency-key", "")][..], "{}", 422),
        (&[LINES, ("idempotency-key", "a"), ("idempotency-key", "b")][..], "{}", 422),
        (&[JSON][..], &"x".repeat((1 << 20) + 1), 413),
    ] {
        let answer = send(headers, body);
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
    // A key of what was refused is free.
    let refused = publish(&bed.socket(), "free", "nonsense").unwrap();
    assert_eq!(refused.status, 422);
    assert_eq!(ids(&publish(&bed.socket(), "free", &lines(0, 0, 1)).unwrap()).len(), 1);
    daemon.stop();
    assert_eq!(stored(&bed).len(), 1, "only the one good publication");
}

#[test]
fn a_full_disk_makes_publishers_wait_and_loses_nothing() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let disk = Disk::over(&bed, 64);
    let mut daemon = bed.start();
    let socket = bed.socket();
    let first = ids(&publish(&socket, "before", &lines(0, 0, 5)).unwrap());
    disk.fill();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| publish(&socket, "while", &lines(0, 5, 5)));
        wait_for("health says that the disk is full", || bed.run(&["health"]).code == Some(1));
        // What is stored is answered all the same, and nobody is refused who only looks.
        assert_eq!(daemon.events(), Some(5));
        disk.free();
        let told = ids(&waiting.join().unwrap().expect("an answer"));
        assert_eq!(told.len(), 5);
        assert_eq!(ids(&publish(&socket, "before", &lines(0, 0, 5)).unwrap()), first);
        assert_eq!(ids(&publish(&socket, "while", &lines(0, 5, 5)).unwrap()), told);
    });
    daemon.wait_events(10);
    daemon.stop();
    let numbers: Vec<u64> = stored(&bed).iter().filter_map(|(.., message)| number_of(message)).collect();
    assert_each_once("the store", &numbers, 10);
}

/// Publishers and the journal share the pipeline: neither waits for the other's end.
#[test]
fn neither_the_journal_nor_publishers_starve() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    journal.append(30_000);
    journal.writer.sync();
    let mut daemon = bed.start();
    let socket = bed.socket();
    let until = AtomicBool::new(false);
    let sent: u64 = std::thread::scope(|threads| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let (socket, until) = (&socket, &until);
                threads.spawn(move || {
                    let mut sent = 0;
                    while !until.load(Ordering::SeqCst) {
                        sent += ids(
                            &publish(socket, &format!("{publisher} {sent}"), &lines(publisher, sent, 500)).unwrap()
                        )
                        .len() as u64;
                    }
                    sent
                })
            })
            .collect();
        let deadline = std::time::Instant::now() + DEADLINE;
        let counted = |name: &str| {
            let path = format!("/api/counters?kind=unit&name={name}");
            let counters: Value = serde_json::from_str(&daemon.get(&path).unwrap_or_default()).unwrap_or_default();
            counters["counters"]
                .as_array()
                .map_or(0, |hours| hours.iter().filter_map(|hour| hour["count"].as_u64()).sum())
        };
        while UNITS.iter().map(|unit| counted(unit)).sum::<u64>() < journal.next || counted(&unit(0)) == 0 {
            assert!(std::time::Instant::now() < deadline, "one of them does not come on");
        }
        until.store(true, Ordering::SeqCst);
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum()
    });
    daemon.wait_events(journal.next + sent);
    daemon.stop();
    let mut by_unit: BTreeMap<String, u64> = BTreeMap::new();
    for (_, unit, _) in stored(&bed) {
        *by_unit.entry(unit).or_default() += 1;
    }
    assert_eq!(UNITS.iter().map(|unit| by_unit[*unit]).sum::<u64>(), journal.next);
}
