//! What may be wrong with Redis: health says so and what to do, nothing is lost, and it goes on by itself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use quantum_clm::config::MirrorMode;
use quantum_clm::observe::status::State;
use tokio::runtime::Runtime;

use super::{INTENTS, Running, STREAM, runtime, settings};
use crate::support::feed::{Feed, number_of};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

fn numbers(redis: &mut RedisServer) -> Vec<u64> {
    let json = |text: &String| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let entries = redis.entries(STREAM, "event");
    entries
        .iter()
        .filter_map(|(_, event)| event.as_ref().map(json).filter(|event| event.get("id").is_some()))
        .map(|event| number_of(event["message"].as_str().expect("a message")))
        .collect()
}

fn all_arrive(redis: &mut RedisServer, mirror: &Running, feed: &Feed) {
    wait_for_some(
        || (redis.run::<u64>(&["XLEN", STREAM]) >= feed.written).then_some(()),
        || format!("{} events: {:#?}", feed.written, mirror.status()),
    );
    assert_eq!(numbers(redis), (0..feed.written).collect::<Vec<_>>());
    mirror.wait_for_some(State::Ok, "mirrors", "");
}

fn started(options: &[&str]) -> (Runtime, RedisServer, Feed) {
    (runtime(), RedisServer::started(options), Feed::new())
}

#[test]
fn away_from_the_start_for_a_hundred_thousand_events() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::stopped(&[]), Feed::new());
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "cannot be reached", "start Redis");
    for _ in 0..20 {
        feed.append(5_000);
    }
    wait_for_some(
        || (mirror.status().figures.get("lag_events") == Some(&100_000)).then_some(()),
        || format!("{:#?}", mirror.status()),
    );
    redis.start();
    all_arrive(&mut redis, &mirror, &feed);
    assert_eq!(mirror.status().figures["lag_events"], 0);
    mirror.stop(&runtime);
}

#[test]
fn a_link_too_slow_for_a_whole_batch() {
    let (runtime, mut redis, mut feed) = started(&[]);
    let proxy = runtime.block_on(Proxy::start(redis.socket()));
    proxy.carry(128 << 10);
    let mut settings = settings(&proxy.url());
    settings.timing.answer = Duration::from_millis(300);
    feed.append(3_000);
    let mirror = Running::start(&runtime, feed.store(), settings);
    all_arrive(&mut redis, &mirror, &feed);
    assert!(mirror.stats.connections() > 1, "the link was good enough for all at once");
    mirror.stop(&runtime);
}

#[test]
fn the_window_rolls() {
    let (runtime, mut redis, mut feed) = started(&[]);
    let mut settings = settings(&redis.url());
    settings.redis.maxlen = 1_000;
    feed.append(10_000);
    let mirror = Running::start(&runtime, feed.store(), settings);
    wait_for_some(|| (numbers(&mut redis).last() == Some(&9_999)).then_some(()), || "the last event".into());
    assert_eq!(mirror.stats.events_sent(), 1_000, "no more than the window is sent");
    for _ in 0..5 {
        feed.append(1_000);
    }
    wait_for_some(|| (numbers(&mut redis).last() == Some(&14_999)).then_some(()), || "the last event".into());
    let kept = numbers(&mut redis);
    assert!((1_000..1_200).contains(&kept.len()), "{} entries", kept.len());
    assert_eq!(kept, (15_000 - kept.len() as u64..15_000).collect::<Vec<_>>());
    mirror.stop(&runtime);
}

#[test]
fn memory_runs_out() {
    let (runtime, mut redis, mut feed) = started(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    feed.append(40_000);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "memory limit", "maxmemory");
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    all_arrive(&mut redis, &mirror, &feed);
    mirror.stop(&runtime);
}

#[test]
fn a_replica_becomes_the_master() {
    let (runtime, mut redis, mut feed) = started(&[]);
    redis.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    feed.append(10);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "read-only replica", "REPLICAOF NO ONE");
    redis.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    all_arrive(&mut redis, &mirror, &feed);
    mirror.stop(&runtime);
}

#[test]
fn a_password_is_missing_wrong_and_right() {
    let (runtime, mut redis, mut feed) = started(&["--requirepass", "s3cret@"]);
    redis.run::<()>(&["AUTH", "s3cret@"]);
    feed.append(10);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "wants a password", "redis.password_file");
    mirror.stop(&runtime);
    let mut settings = settings(&format!("{}?pass=wrong", redis.url()));
    let mirror = Running::start(&runtime, feed.store(), settings.clone());
    mirror.wait_for_some(State::Failed, "does not take the password", "redis.password_file");
    mirror.stop(&runtime);
    let file = feed.directory().join("redis-password");
    settings.redis.password_file = Some(file.clone());
    let mirror = Running::start(&runtime, feed.store(), settings);
    mirror.wait_for_some(State::Failed, "redis-password", "readable");
    let private = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file);
    private.and_then(|mut file| file.write_all(b"s3cret@\n")).expect("a file");
    all_arrive(&mut redis, &mirror, &feed);
    assert!(!format!("{:?}", mirror.status()).contains("s3cret"));
    mirror.stop(&runtime);
}

#[test]
fn a_key_of_another_type() {
    let (runtime, mut redis, mut feed) = started(&[]);
    redis.run::<()>(&["SET", STREAM, "mine"]);
    feed.append(10);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "holds something else", "redis.stream");
    redis.run::<()>(&["DEL", STREAM]);
    all_arrive(&mut redis, &mirror, &feed);
    mirror.stop(&runtime);
}

#[test]
fn a_right_that_the_counters_lack_does_not_hold_up_the_events() {
    let (runtime, mut redis, mut feed) = started(&[]);
    redis.run::<()>(&["ACL", "SETUSER", "default", "-set"]);
    feed.append(10);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "counters: ", "ACL SETUSER");
    feed.append(10);
    redis.run::<()>(&["ACL", "SETUSER", "default", "+set"]);
    all_arrive(&mut redis, &mirror, &feed);
    assert_eq!(redis.run::<u64>(&["EXISTS", INTENTS]), 0);
    wait_for_some(
        || (redis.run::<Vec<String>>(&["KEYS", "quantum:clm:*"]).len() == 4).then_some(()),
        || "counters".into(),
    );
    mirror.stop(&runtime);
}

#[test]
fn somebody_else_writes_to_the_stream() {
    let (runtime, mut redis, mut feed) = started(&[]);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    feed.append(10);
    all_arrive(&mut redis, &mirror, &feed);
    redis.run::<String>(&["XADD", STREAM, "99999999999999-7", "event", "{\"message\":\"mine\"}"]);
    mirror.wait_for_some(State::Warn, "somebody else writes", "CLIENT LIST");
    feed.append(10);
    wait_for_some(|| (numbers(&mut redis).len() == 20).then_some(()), || format!("{:#?}", mirror.status()));
    // Its place is found again by the entries' `id`, which is no longer the entries' own.
    mirror.crash(&runtime);
    feed.append(10);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    wait_for_some(|| (numbers(&mut redis).len() == 30).then_some(()), || format!("{:#?}", mirror.status()));
    assert_eq!(numbers(&mut redis), (0..30).collect::<Vec<_>>());
    assert_eq!(redis.entries(STREAM, "event").last().map(|(id, _)| id.as_str()), Some("99999999999999-27"));
    mirror.stop(&runtime);
}

#[test]
fn an_id_that_nothing_can_follow() {
    let (runtime, mut redis, mut feed) = started(&[]);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    redis.run::<String>(&["XADD", STREAM, "18446744073709551615-18446744073709551615", "a", "b"]);
    feed.append(10);
    mirror.wait_for_some(State::Failed, "largest possible id", "DEL");
    redis.run::<()>(&["DEL", STREAM]);
    all_arrive(&mut redis, &mirror, &feed);
    mirror.stop(&runtime);
}

#[test]
fn the_stop_sends_what_is_committed() {
    let (runtime, mut redis, mut feed) = started(&[]);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Ok, "mirrors", "");
    feed.append(30_000);
    mirror.stop(&runtime);
    assert_eq!(numbers(&mut redis).len(), 30_000);
}

#[test]
fn switched_off() {
    let (runtime, feed) = (runtime(), Feed::new());
    let mirror = Running::start(&runtime, feed.store(), settings(""));
    mirror.wait_for_some(State::Off, "redis.url is empty", "");
    mirror.stop(&runtime);
    let mut settings = settings("redis://127.0.0.1:1");
    settings.redis.mirror = MirrorMode::Off;
    let mirror = Running::start(&runtime, feed.store(), settings);
    mirror.wait_for_some(State::Off, "redis.mirror is off", "");
    mirror.stop(&runtime);
}
