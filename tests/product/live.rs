//! The live tail: every event once, in order, across readers, restarts and a reader that does not read.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use quantum_clm::domain::id::EventId;
use quantum_clm::store::{Retention, Store};
use serde_json::{Value, json};

use super::number_of;
use crate::support::ask::{Listener, ask};
use crate::support::daemon::{Bed, Daemon};
use crate::support::wait_for;

fn bed() -> Bed {
    Bed::new("", &["events.commit_interval = \"50ms\""])
}

/// Publishes numbered events; their ids.
#[track_caller]
fn publish(bed: &Bed, numbers: std::ops::Range<u64>) -> Vec<String> {
    let line = |number: u64| {
        let unit = if number.is_multiple_of(2) { "even" } else { "odd" };
        json!({ "unit": unit, "message": format!("number {number}"), "host": "<b>&\n".trim() }).to_string() + "\n"
    };
    let body: String = numbers.map(line).collect();
    let headers = [("content-type", "application/x-ndjson")];
    let answer = ask(&bed.socket(), "POST", "/api/events", &headers, body).expect("an answer");
    assert_eq!(answer.status, 202, "{answer:?}");
    serde_json::from_value(answer.json()["ids"].clone()).unwrap()
}

/// Takes the next `count` events: their ids and numbers.
#[track_caller]
fn take(reader: &mut Listener, count: usize) -> Vec<(String, u64)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let told = reader.next().expect("an event");
        let event = told.json();
        assert_eq!((told.event.as_str(), event["id"].as_str()), ("event", Some(told.id.as_str())), "{told:?}");
        taken.push((told.id, number_of(event["message"].as_str().unwrap()).unwrap()));
    }
    taken
}

fn numbered(ids: &[String], first: u64) -> Vec<(String, u64)> {
    ids.iter().cloned().zip(first..).collect()
}

fn readers(daemon: &Daemon) -> u64 {
    daemon.metric("quantum_clm_tail_readers").unwrap_or(0)
}

#[test]
fn each_event_once_and_again_from_where_one_left_off() {
    let bed = bed();
    let daemon = bed.start();
    let earlier = publish(&bed, 0..10);
    let stream = "/api/events/stream";
    let mut fresh = Listener::new(&bed.socket(), stream, &[]);
    let mut resumed = Listener::new(&bed.socket(), stream, &[("last-event-id", &earlier[3])]);
    let mut by_query = Listener::new(&bed.socket(), &format!("{stream}?last_event_id={}", earlier[7]), &[]);
    let mut odd = Listener::new(&bed.socket(), &format!("{stream}?unit=odd&last_event_id={}", earlier[0]), &[]);
    assert_eq!(take(&mut resumed, 6), numbered(&earlier[4..], 4));
    assert_eq!(take(&mut by_query, 2), numbered(&earlier[8..], 8));
    assert_eq!(take(&mut odd, 5).iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    let later = publish(&bed, 10..30);
    for reader in [&mut fresh, &mut resumed, &mut by_query] {
        assert_eq!(take(reader, 20), numbered(&later, 10));
    }
    assert!(take(&mut odd, 10).iter().all(|(_, number)| number % 2 == 1));

    // The daemon stops: the stream ends properly, and goes on behind what was seen.
    daemon.stop();
    assert_eq!(fresh.next(), None);
    assert_eq!(fresh.last_id, later[19]);
    let daemon = bed.start();
    let latest = publish(&bed, 30..40);
    let mut back = Listener::new(&bed.socket(), stream, &[("last-event-id", &fresh.last_id)]);
    assert_eq!(take(&mut back, 10), numbered(&latest, 30));
    daemon.stop();
}

#[test]
fn a_reader_of_nothing_comes_back_to_where_it_stands() {
    let bed = bed();
    let _daemon = bed.start();
    let ids = publish(&bed, 0..3);
    // Its first block carries the place at which it begins, so that even who has seen no event has an id.
    let body = ask_begin(&bed, "/api/events/stream?unit=nobody");
    assert!(body.contains("retry: 3000\n") && body.contains(&format!("id: {}\n\n", ids[2])), "{body}");
}

/// The first bytes of an answer that goes on.
fn ask_begin(bed: &Bed, path: &str) -> String {
    use std::io::Read as _;
    let mut stream = UnixStream::connect(bed.socket()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let mut bytes = [0; 1_024];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "it ended: {text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    text
}

#[test]
fn what_is_kept_no_longer_is_a_gap() {
    let bed = bed();
    let daemon = bed.start();
    let mut ids = publish(&bed, 0..5_000);
    ids.extend(publish(&bed, 5_000..5_010));
    daemon.stop();
    let store = Store::open(bed.data_file()).unwrap();
    let now = quantum_clm::observe::now();
    let trimmed = store.trim(Retention { days: 30, bytes: 0 }, now).unwrap();
    assert!(trimmed.blocks > 0, "nothing was removed");
    let oldest = store.oldest().unwrap().unwrap();
    store.close();
    let daemon = bed.start();
    let kept = ids.iter().position(|id| *id == oldest.to_string()).unwrap();
    let stream = |id: &str| Listener::new(&bed.socket(), "/api/events/stream", &[("last-event-id", id)]);

    let mut reader = stream(&ids[7]);
    let gap = reader.next().unwrap();
    assert_eq!((gap.event.as_str(), gap.json()), ("gap", json!({ "after": ids[7], "from": ids[kept] })));
    assert_eq!(take(&mut reader, 3), numbered(&ids[kept..kept + 3], kept as u64));
    // Nothing is missing behind what is kept.
    assert_eq!(take(&mut stream(&ids[kept]), 1), numbered(&ids[kept + 1..kept + 2], kept as u64 + 1));
    // An id that is not ours, or not any more.
    let ahead = EventId::MAX.to_string();
    let mut reader = stream(&ahead);
    assert_eq!(reader.next().unwrap().json(), json!({ "after": ahead, "from": null }));
    let new = publish(&bed, 5_010..5_011);
    assert_eq!(take(&mut reader, 1), numbered(&new, 5_010));

    let refused = ask(&bed.socket(), "GET", "/api/events/stream", &[("last-event-id", "x")], []).unwrap();
    assert_eq!(refused.json()["detail"][0]["loc"], json!(["header", "Last-Event-ID"]), "{refused:?}");
    daemon.stop();
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_miss_nothing() {
    let bed = bed();
    let daemon = bed.start();
    let mut stuck = UnixStream::connect(bed.socket()).unwrap();
    stuck.write_all(b"GET /api/events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = Listener::new(&bed.socket(), "/api/events/stream", &[]);
    // Both have their places: what a reader has not joined for, it would read from the store.
    let mut sent = 0;
    wait_for("both read along", || {
        publish(&bed, sent..sent + 1);
        sent += 1;
        readers(&daemon) == 2
    });
    let dropped = || daemon.metric("quantum_clm_tail_dropped_total").unwrap_or(0);
    assert_eq!(dropped(), 0);
    let first: Vec<u64> = take(&mut reader, sent as usize).into_iter().map(|(_, number)| number).collect();
    assert!(first.iter().copied().eq(0..sent), "{first:?}");
    // Far beyond what a socket holds.
    for round in 0..5 {
        let from = sent + round * 4_000;
        let ids = publish(&bed, from..from + 4_000);
        assert_eq!(take(&mut reader, 4_000), numbered(&ids, from));
    }
    wait_for("the one that does not read is dropped", || dropped() == 1);
    let from = sent + 20_000;
    wait_for("one reader is left", || {
        let ids = publish(&bed, from..from + 1);
        assert_eq!(take(&mut reader, 1), numbered(&ids, from));
        readers(&daemon) == 1
    });
    drop(stuck);
    daemon.stop();
}

#[test]
fn following_as_lines_begins_with_the_newest() {
    let bed = bed();
    let daemon = bed.start();
    publish(&bed, 0..20);
    let mut lines = crate::support::ask::Lines::new(&bed.socket(), "/api/events/follow?unit=odd&limit=3");
    let mut next = || -> u64 {
        let event: Value = serde_json::from_str(&lines.next().expect("a line")).unwrap();
        number_of(event["message"].as_str().unwrap()).unwrap()
    };
    assert_eq!([next(), next(), next()], [15, 17, 19]);
    publish(&bed, 20..24);
    assert_eq!([next(), next()], [21, 23]);
    let refused = ask(&bed.socket(), "GET", "/api/events/follow?cursor=1-0", &[], []).unwrap();
    assert_eq!(refused.json()["detail"][0]["loc"], json!(["query", "cursor"]), "{refused:?}");
    daemon.stop();
    assert_eq!(lines.next(), None);
}
