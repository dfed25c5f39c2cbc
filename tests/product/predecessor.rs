//! The commands with which operators looked whether the predecessor works.

use std::process::Command;

use serde_json::Value;

use super::{INTENTS, Numbered, STREAM, this_hour};
use crate::support::daemon::{Bed, UNITS};
use crate::support::redis::RedisServer;

fn redis_cli(redis: &RedisServer, arguments: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .arg("-s")
        .arg(redis.socket())
        .args(arguments)
        .output()
        .expect("redis-cli, of the package redis-tools");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn its_verification_commands() {
    let redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    journal.append(4_000);
    journal.writer.sync();
    let mut daemon = bed.start();
    daemon.wait_events(4_000);
    daemon.stop();

    assert_eq!(redis_cli(&redis, &["XLEN", STREAM]), "4000");
    // Not to a terminal redis-cli prints bare lines: id, field, value.
    let newest = redis_cli(&redis, &["XREVRANGE", STREAM, "+", "-", "COUNT", "10"]);
    let lines: Vec<&str> = newest.lines().collect();
    assert_eq!(lines.len(), 30, "{newest}");
    for (entry, number) in lines.chunks(3).zip((3_990..4_000_u64).rev()) {
        let event: Value = serde_json::from_str(entry[2]).unwrap();
        assert_eq!((entry[1], &event["id"]), ("event", &entry[0].into()));
        assert_eq!(super::number_of(event["message"].as_str().unwrap()), Some(number));
        let ts: u64 = event["ts"].as_str().expect("a string").parse().unwrap();
        assert_eq!(ts, this_hour() + (number + 1) * 1_000);
        assert_eq!(event["unit"], UNITS[(number % 4) as usize]);
        assert!(event["level"].is_string() && event["tags"].is_array(), "{event}");
    }
    for (key, count) in &journal.counters {
        assert_eq!(redis_cli(&redis, &["GET", key]), count.to_string(), "{key}");
        let ttl: i64 = redis_cli(&redis, &["TTL", key]).parse().unwrap();
        assert!((1..=86_400).contains(&ttl), "{key} expires in {ttl} s");
    }
    let listed = redis_cli(&redis, &["KEYS", "quantum:clm:*"]);
    let mut keys: Vec<&str> = listed.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, journal.counters.keys().collect::<Vec<_>>());
    assert!(keys.iter().any(|key| key.starts_with("quantum:clm:count:quantum-ai-engine.service:")), "{keys:?}");
    assert_eq!(redis_cli(&redis, &["XLEN", INTENTS]), "8", "two messages a unit");
}
