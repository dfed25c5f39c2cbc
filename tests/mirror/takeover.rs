//! Taking over from the predecessor.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quantum_clm::config::MirrorMode;
use quantum_clm::mirror::MirrorSettings;
use quantum_clm::observe::status::State;

use super::{Running, STREAM, runtime, settings};
use crate::support::feed::Feed;
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

/// A `systemctl` that answers as the file beside it says.
fn systemctl(directory: &Path) -> PathBuf {
    let program = directory.join("systemctl");
    let script = format!("#!/bin/sh\n[ \"$1\" = is-active ] && cat {}\n", directory.join("states").display());
    std::fs::write(&program, script).expect("a script");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    program
}

fn say(directory: &Path, states: &str) {
    std::fs::write(directory.join("new"), states).expect("a file");
    std::fs::rename(directory.join("new"), directory.join("states")).expect("in its place");
}

fn automatic(redis: &RedisServer, directory: &Path) -> MirrorSettings {
    let mut settings = settings(&redis.url());
    settings.redis.mirror = MirrorMode::Auto;
    settings.systemctl = systemctl(directory);
    settings
}

/// What the predecessor writes for line `number` of the journal.
fn predecessor_writes(redis: &mut RedisServer, number: u64) {
    let ts = 1_768_621_479_809_316 + number * 1_000;
    let event = format!("{{\"ts\":\"{ts}\",\"unit\":\"quantum-execution.service\",\"message\":\"line {number} \"}}");
    redis.run::<String>(&["XADD", STREAM, "*", "event", &event]);
}

#[test]
fn it_begins_where_the_predecessor_ended() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let directory = feed.directory();
    say(&directory, "active\ninactive\n");
    let mut settings = automatic(&redis, &directory);
    settings.timing.quiet_stopped = Duration::ZERO;
    (0..10).for_each(|number| predecessor_writes(&mut redis, number));
    feed.append(15);
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    mirror.wait_for_some(State::Warn, "quantum-utf-publisher.service runs", "redis.mirror = \"on\"");
    assert_eq!(redis.run::<u64>(&["XLEN", STREAM]), 10, "it writes nothing meanwhile");
    say(&directory, "inactive\ninactive\n");
    mirror.wait_for_some(State::Ok, "mirrors", "");
    // The predecessor's ten stay, and what it had not come to follows, once.
    let messages = |redis: &mut RedisServer| -> Vec<String> {
        let entries = redis.entries(STREAM, "event");
        let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        entries.into_iter().map(|(_, event)| json(event.expect("event"))["message"].to_string()).collect()
    };
    let expected: Vec<String> = (0..15).map(|number| format!("\"line {number} \"")).collect();
    assert_eq!(messages(&mut redis), expected);
    // Once the stream is ours, another writer is a warning and nothing more, even after a restart.
    say(&directory, "active\nactive\n");
    predecessor_writes(&mut redis, 3);
    mirror.wait_for_some(State::Warn, "somebody else writes", "CLIENT LIST");
    mirror.crash(&runtime);
    feed.append(5);
    let mirror = Running::start(&runtime, feed.store(), settings);
    wait_for_some(|| (redis.run::<u64>(&["XLEN", STREAM]) == 21).then_some(()), || format!("{:#?}", mirror.status()));
    mirror.stop(&runtime);
}

#[test]
fn it_waits_until_the_stream_is_silent() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let directory = feed.directory();
    say(&directory, "inactive\nfailed\n");
    let mut settings = automatic(&redis, &directory);
    settings.timing.quiet_stopped = Duration::from_secs(3_600);
    predecessor_writes(&mut redis, 0);
    feed.append(5);
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    mirror.wait_for_some(State::Warn, "somebody else wrote to the stream", "stop the predecessor");
    mirror.stop(&runtime);
    // The same stream, its last entry two hours old.
    redis.run::<()>(&["DEL", STREAM]);
    let old = quantum_clm::observe::now().millis() - 7_200_000;
    redis.run::<String>(&["XADD", STREAM, &old.to_string(), "event", "{}"]);
    let mirror = Running::start(&runtime, feed.store(), settings);
    mirror.wait_for_some(State::Ok, "mirrors", "");
    assert_eq!(redis.run::<u64>(&["XLEN", STREAM]), 6);
    mirror.stop(&runtime);
}

#[test]
fn another_server_is_taken_over_anew() {
    let (runtime, redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let directory = feed.directory();
    say(&directory, "inactive\ninactive\n");
    feed.append(5);
    let mirror = Running::start(&runtime, feed.store(), automatic(&redis, &directory));
    mirror.wait_for_some(State::Ok, "mirrors", "");
    mirror.stop(&runtime);
    // The stream of the same name there is somebody else's, who is at work.
    let mut other = RedisServer::started(&[]);
    predecessor_writes(&mut other, 0);
    let settings = automatic(&other, &directory);
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    mirror.wait_for_some(State::Warn, "somebody else wrote to the stream", "stop the predecessor");
    assert_eq!(other.run::<u64>(&["XLEN", STREAM]), 1, "it writes nothing meanwhile");
    mirror.stop(&runtime);
    // Another database of the same server is another Redis as well.
    let mut settings = settings;
    settings.redis.url = format!("{}?db=1", other.url());
    let mirror = Running::start(&runtime, feed.store(), settings);
    mirror.wait_for_some(State::Ok, "mirrors", "");
    mirror.stop(&runtime);
}

/// Once the stream is ours, the predecessor's unit that comes back is told in health and as an intent, until it is gone.
#[test]
fn a_predecessor_that_comes_back_is_told() {
    let (runtime, redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let directory = feed.directory();
    say(&directory, "inactive\ninactive\n");
    let mut settings = automatic(&redis, &directory);
    settings.timing.predecessor = Duration::from_millis(20);
    feed.append(5);
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    mirror.wait_for_some(State::Ok, "mirrors", "");
    let intents = |feed: &Feed| {
        let found = feed.store().intents(None, None, quantum_clm::domain::id::IntentId(u64::MAX), 10).expect("intents");
        found.into_iter().map(|intent| (intent.key.rule.clone(), intent.resolved.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(intents(&feed), []);
    say(&directory, "active\ninactive\n");
    mirror.wait_for_some(
        State::Warn,
        "quantum-utf-publisher.service runs again",
        "disable --now quantum-utf-publisher",
    );
    assert_eq!(intents(&feed), [("takeover".to_owned(), false)]);
    mirror.stop(&runtime);
    // It stopped while nobody looked.
    say(&directory, "inactive\ninactive\n");
    let mirror = Running::start(&runtime, feed.store(), settings);
    mirror.wait_for_some(State::Ok, "mirrors", "");
    wait_for_some(
        || (intents(&feed) == [("takeover".to_owned(), true)]).then_some(()),
        || format!("{:?}", intents(&feed)),
    );
    mirror.stop(&runtime);
}

/// It followed each unit by itself: what it had not come to is sent, what it had is not, whatever the order in the store.
#[test]
fn it_was_at_another_place_with_each_unit() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let directory = feed.directory();
    say(&directory, "inactive\ninactive\n");
    let mut settings = automatic(&redis, &directory);
    settings.timing.quiet_stopped = Duration::ZERO;
    feed.append(40);
    // Even lines are one unit's, odd ones the other's.
    for number in (0..40).filter(|number| if number % 2 == 0 { *number < 30 } else { *number < 10 }) {
        let unit = ["quantum-ai-engine.service", "quantum-execution.service"][(number % 2) as usize];
        let ts = 1_768_621_479_809_316_u64 + number * 1_000;
        let event = format!("{{\"ts\":\"{ts}\",\"unit\":\"{unit}\",\"message\":\"line {number} \"}}");
        redis.run::<String>(&["XADD", STREAM, "*", "event", &event]);
    }
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    let numbers = |redis: &mut RedisServer| -> Vec<u64> {
        let entries = redis.entries(STREAM, "event");
        let number = |text: String| {
            let event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            crate::support::feed::number_of(event["message"].as_str().expect("a message"))
        };
        let mut numbers: Vec<u64> = entries.into_iter().map(|(_, event)| number(event.expect("event"))).collect();
        numbers.sort_unstable();
        numbers
    };
    let all: Vec<u64> = (0..40).collect();
    wait_for_some(|| (numbers(&mut redis).len() >= 40).then_some(()), || format!("{:#?}", mirror.status()));
    assert_eq!(numbers(&mut redis), all);
    mirror.crash(&runtime);
    feed.append(5);
    let mirror = Running::start(&runtime, feed.store(), settings);
    wait_for_some(|| (numbers(&mut redis).len() >= 45).then_some(()), || format!("{:#?}", mirror.status()));
    assert_eq!(numbers(&mut redis), (0..45).collect::<Vec<u64>>());
    mirror.stop(&runtime);
}
