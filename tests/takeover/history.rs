//! What the predecessor left in the stream.

use serde_json::{Value, json};

use super::{COUNTER, PUBLISHER, STREAM, World, unit_of};
use crate::support::daemon::Daemon;
use crate::support::{DEADLINE, wait_for};

const HISTORY: &str = "/api/import/history";

fn told(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.get(HISTORY).expect("an answer")).expect("JSON")
}

#[track_caller]
fn wait_mirrored(world: &mut World) {
    let lines = world.lines;
    let deadline = std::time::Instant::now() + DEADLINE;
    while (world.stream().len() as u64) < lines {
        assert!(std::time::Instant::now() < deadline, "{} of {lines} lines are in the stream", world.stream().len());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The predecessor was at another place with each unit when it was stopped: the journal is read on from there.
#[test]
fn on_the_first_start_the_journal_begins_where_it_ends() {
    let mut world = World::new();
    world.write(4_000);
    let came_to = [2_000, 2_101, 1_902, 2_503];
    world.publish((0..4_000).filter(|number| *number < came_to[(number % 4) as usize]));
    let history = world.stream().len() as u64;
    let mut daemon = world.bed.start();
    daemon.wait_events(4_000);
    let answer = told(&daemon);
    assert_eq!(
        (&answer["taken"], &answer["entries"], &answer["journal_follows"], &answer["left"]),
        (&json!(history), &json!(history), &json!(true), &json!({}))
    );
    world.write(500);
    daemon.wait_events(4_500);
    wait_mirrored(&mut world);
    daemon.stop();
    world.assert_whole(history);

    // Nothing of it is done again.
    let mut daemon = world.bed.start();
    world.write(10);
    daemon.wait_events(4_510);
    wait_mirrored(&mut world);
    daemon.stop();
    world.assert_whole(history);
}

/// The journal has lost its beginning, the daemon has run beside the predecessor, and is to have the rest now.
#[test]
fn later_it_goes_in_front_of_what_was_read() {
    let mut world = World::new();
    world.unit(PUBLISHER, true, "python3");
    world.unit(COUNTER, true, "python3");
    world.forget(1_000);
    world.write(2_000);
    world.publish(0..2_500);
    let mut daemon = world.bed.start();
    daemon.wait_events(2_000);

    let told = |apply: &[&str]| {
        let said = world.bed.run(&[&["import", "history", "--json"], apply].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        said.json()
    };
    let (dry, done, again) = (told(&[]), told(&["--apply"]), told(&["--apply"]));
    for answer in [&dry, &done, &again] {
        assert_eq!((&answer["taken"], &answer["left"]), (&json!(1_000), &json!({"stored": 1_500})), "{answer}");
    }
    assert_eq!(
        (&dry["dry_run"], &done["dry_run"], &done["journal_follows"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!(daemon.events(), Some(3_000));
    assert_eq!(world.stream().len(), 2_500, "the mirror holds");
    for unit in [PUBLISHER, COUNTER] {
        world.unit(unit, false, "python3");
    }
    wait_mirrored(&mut world);
    wait_for("nothing is left to be mirrored", || daemon.status().is_some_and(|now| now["mirror_lag_events"] == 0));
    daemon.stop();
    world.assert_whole(1_000);
}

#[test]
fn what_is_odd_is_told_and_stops_nothing() {
    let mut world = World::new();
    let now = quantum_clm::observe::now().0;
    let line = |ts: u64, message: &str| {
        json!({"ts": ts.to_string(), "unit": unit_of(0), "level": "6", "message": message}).to_string()
    };
    let start = world.start;
    world.add("5-1", &["event", &line(start, "an id by hand")]);
    let old = start - 40 * 86_400_000_000;
    world.add(&format!("{}-0", old / 1_000), &["event", &line(old, "forty days old")]);
    world.publish(0..3);
    let at = |number: u64| (start / 1_000 + 100 + number).to_string();
    world.add(&at(0), &["event", "{\"ts\": \"17"]);
    world.add(&at(1), &["other", "field"]);
    world.add(&at(2), &["event", &line(start + 1_000, "number 0 about INJUSDT")]);
    world.add(&format!("{}-1048576", at(3)), &["event", &line(start + 1, "too many at once")]);
    world.add(&at(4), &["event", "{\"id\":\"1-1\",\"ts\":\"1\",\"unit\":\"u\",\"message\":\"ours\"}"]);
    world.add(&at(5), &["event", &line(now + 86_400_000_000, "tomorrow")]);
    world.add(&at(6), &["event", &line(start + 3_999, "\u{1b}[31mlast\u{1b}[0m")]);
    let mut daemon = world.bed.start();
    daemon.wait_events(4);
    let answer = told(&daemon);
    assert_eq!(
        answer["left"],
        json!({"no_time": 1, "old": 1, "ours": 1, "sequence_too_large": 1, "twice": 1, "unreadable": 3}),
        "{answer:#}"
    );
    let odd = answer["odd"].as_array().expect("a list");
    assert_eq!((odd.len(), &odd[0]["id"]), (6, &json!("5-1")), "{answer:#}");
    assert!(odd.iter().any(|odd| odd["why"].as_str().is_some_and(|why| why.contains("field `event`"))), "{answer:#}");
    daemon.stop();
}

#[test]
fn a_redis_without_a_history_is_no_obstacle() {
    let mut world = World::new();
    world.write(10);
    let mut daemon = world.bed.start();
    daemon.wait_events(10);
    assert_eq!(told(&daemon)["taken"], 0);
    // Nor is one that is away, and what it holds is then asked for in vain, with a reason.
    world.redis.stop(false);
    let said = world.bed.run(&["import", "history"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("Redis at") && said.err.contains("start Redis"), "{said:?}");
    daemon.stop();
}

/// A full window of the predecessor.
#[test]
fn two_hundred_thousand() {
    let mut world = World::new();
    world.forget(200_000);
    let script = format!(
        "local start = tonumber(ARGV[1]) \
         for n = 0, 199999 do \
           local units = {{'ai-engine', 'strategy-brain', 'risk-brain', 'execution'}} \
           local about = n % 5 == 0 and ' about INJUSDT' or '' \
           local level = n % 25 == 0 and 3 or 6 \
           local ms = start + n + 1 \
           redis.call('XADD', '{STREAM}', string.format('%.0f-0', ms), 'event', string.format( \
             '{{\"ts\":\"%.0f000\",\"unit\":\"quantum-%s.service\",\"level\":\"%d\",\"message\":\"number %d%s\"}}', \
             ms, units[n % 4 + 1], level, n, about)) \
         end return 1"
    );
    let start = (world.start / 1_000).to_string();
    world.redis.run::<u64>(&["EVAL", &script, "0", &start]);
    world.write(100);
    let mut daemon = world.bed.start();
    daemon.wait_events(200_100);
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).expect("procfs");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.expect("a peak") < 160 << 10, "{peak:?} KiB");
    wait_mirrored_of(&mut world, 100);
    daemon.stop();
    assert_eq!(world.stored().len(), 200_100);
}

/// Waits until this many entries are ours.
#[track_caller]
fn wait_mirrored_of(world: &mut World, count: u64) {
    let last = |world: &mut World| {
        let entries: Vec<(String, Vec<String>)> =
            world.redis.run(&["XREVRANGE", STREAM, "+", "-", "COUNT", &(count + 1).to_string()]);
        entries.iter().filter(|(_, fields)| fields[1].contains("\"id\":")).count() as u64
    };
    let deadline = std::time::Instant::now() + DEADLINE;
    while last(world) != count {
        assert!(std::time::Instant::now() < deadline, "not {count} of the newest entries are ours");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
