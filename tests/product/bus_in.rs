//! The event bus into the real binary: deaths at the named places, bursts, and dead letters as an operator meets them.

use std::collections::BTreeMap;

use quantum_clm::domain::job::Trigger;
use quantum_clm::store::Store;
use serde_json::json;

use crate::support::bus_in::{GROUP, STREAM, ask, dead_letters, payload};
use crate::support::daemon::{Bed, Daemon};
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

fn bed(redis: &RedisServer) -> Bed {
    Bed::new(&redis.url(), &["redis.mirror = \"on\""])
}

/// Who asked, in the order in which that was taken in: each message is one trigger of the scheduler.
fn taken(bed: &Bed) -> Vec<String> {
    let store = Store::open(bed.data_file()).expect("the data file");
    let triggers = store.triggers(None, Some(Trigger::Manual), u64::MAX, usize::MAX).expect("triggers");
    store.close();
    triggers.into_iter().rev().map(|trigger| trigger.by).collect()
}

/// Messages of a type that this process brought to this outcome.
fn counted(daemon: &Daemon, topic: &str, outcome: &str) -> Option<u64> {
    daemon.metric(&format!("quantum_clm_bus_messages_total{{type=\"{topic}\",outcome=\"{outcome}\"}}"))
}

const ASKED: &str = "manual.training_requested";

fn pending(redis: &mut RedisServer) -> u64 {
    let (count, ..): (u64, Option<String>, Option<String>, Option<Vec<(String, String)>>) =
        redis.run(&["XPENDING", STREAM, GROUP]);
    count
}

/// The newest message that the group was handed.
fn delivered(redis: &mut RedisServer) -> String {
    let groups: Vec<redis::Value> = redis.run(&["XINFO", "GROUPS", STREAM]);
    let group: BTreeMap<String, redis::Value> =
        redis::from_redis_value(groups.into_iter().next().expect("a group")).expect("its fields");
    redis::from_redis_value(group["last-delivered-id"].clone()).expect("an id")
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_between_the_commit_and_the_acknowledgement_repeats_nothing() {
    // Before the commit, behind it, and behind the dead letter: each with something that it does not know for sure.
    for (place, lost) in
        [("store.commit.before", true), ("subscriptions.taken", false), ("subscriptions.buried", false)]
    {
        let mut redis = RedisServer::started(&[]);
        let bed = bed(&redis);
        redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
        ask(&mut redis, "anna");
        redis.run::<String>(&["XADD", STREAM, "*", "payload", "no"]);
        ask(&mut redis, "ben");
        // Where the store is concerned, the first transactions are of the start.
        let passed = if place == "store.commit.before" { "2*off->return" } else { "return" };
        let mut daemon = bed.spawn(&format!("{place}={passed}"));
        let status = daemon.wait_end();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{place}: {status}");
        assert!(lost || pending(&mut redis) > 0, "{place}: nothing is acknowledged");
        let daemon = bed.start();
        // It is new, so all before it was handed out, and is over once nothing is pending.
        let carl = ask(&mut redis, "carl");
        wait_for_some(
            || (delivered(&mut redis) == carl && pending(&mut redis) == 0).then_some(()),
            || format!("{place}: {}", daemon.log()),
        );
        assert_eq!(dead_letters(&mut redis).len(), 1, "{place}");
        let letters = daemon.ask("GET", "/api/dead-letters", &json!({})).1;
        assert_eq!(letters["dead_letters"].as_array().map(Vec::len), Some(1), "{place}: {letters}");
        daemon.stop();
        assert_eq!(taken(&bed), ["anna", "ben", "carl"], "{place}");
    }
}

#[test]
fn killed_again_and_again_it_takes_everything_in_once() {
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    let mut expected = Vec::new();
    for round in 0..4 {
        for number in 0..150 {
            expected.push(format!("m{round}-{number}"));
            ask(&mut redis, expected.last().expect("one"));
        }
        let daemon = bed.start();
        // Somewhere in the middle of it.
        wait_for_some(|| counted(&daemon, ASKED, "taken").filter(|count| *count > 0), || daemon.log());
        daemon.kill();
    }
    let daemon = bed.start();
    let last = ask(&mut redis, "the last");
    expected.push("the last".into());
    wait_for_some(|| (delivered(&mut redis) == last && pending(&mut redis) == 0).then_some(()), || daemon.log());
    daemon.stop();
    assert_eq!(taken(&bed), expected);
}

#[test]
fn an_operator_finds_a_dead_letter_and_is_told_everywhere() {
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    let daemon = bed.start();
    redis.run::<String>(&["XADD", STREAM, "*", "payload", &payload("anna").replace("nhits", "nits")]);
    let component = |name: &str| {
        let health = daemon.ask("GET", "/api/health", &json!({})).1;
        let all = health["components"].as_array().expect("components").clone();
        all.into_iter().find(|component| component["name"] == name).unwrap_or_default()
    };
    wait_for_some(
        || (component("dead-letters")["state"] == "warn").then_some(()),
        || format!("{}", component("dead-letters")),
    );
    assert!(component("dead-letters")["remedy"].as_str().is_some_and(|remedy| remedy.contains("/dead-letters")));
    assert_eq!(component("subscriptions")["state"], "ok");
    let count = |outcome| counted(&daemon, ASKED, outcome);
    assert_eq!((count("failed"), count("dead")), (Some(2), Some(1)));
    assert_eq!(daemon.metric("quantum_clm_dead_letters"), Some(1));
    let (status, failed) = daemon.ask("POST", "/api/dead-letters/1/replay", &json!({}));
    assert_eq!(status, 409, "{failed}");
    assert!(failed["detail"].as_str().is_some_and(|detail| detail.contains("\"nits\" is no model type")), "{failed}");
    let (status, letter) = daemon.ask("POST", "/api/dead-letters/1/discard", &json!({ "why": "a typo" }));
    assert_eq!((status, &letter["state"], &letter["tries"]), (200, &json!("discarded"), &json!(4)), "{letter}");
    wait_for_some(
        || (component("dead-letters")["state"] == "ok").then_some(()),
        || format!("{}", component("dead-letters")),
    );
    daemon.stop();
}

#[test]
fn a_burst_of_large_messages_takes_little_memory() {
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    // 100 MB in twenty-five entries, and ten thousand small ones beside them.
    let fill = "local long = string.rep('x', 4000000) \
                for i = 1, 25 do redis.call('XADD', KEYS[1], '*', 'payload', long) end \
                for i = 1, 10000 do redis.call('XADD', KEYS[2], '*', 'symbol', 'BTCUSDT') end";
    let trades = "quantum:stream:trade.closed";
    redis.run::<()>(&["XGROUP", "CREATE", trades, "quantum:group:clm_service:trade.closed", "0", "MKSTREAM"]);
    redis.run::<()>(&["EVAL", fill, "2", STREAM, trades]);
    let daemon = bed.start();
    let counted = || (counted(&daemon, ASKED, "dead"), counted(&daemon, "trade.closed", "taken"));
    let most = std::cell::Cell::new(0);
    wait_for_some(
        || {
            let now = daemon.metric("quantum_clm_process_resident_memory_bytes").unwrap_or(0);
            most.set(most.get().max(now));
            (counted() == (Some(25), Some(10_000))).then_some(())
        },
        || format!("{:?}", counted()),
    );
    assert!(most.get() < 100 << 20, "{} MiB for 100 MB of messages", most.get() >> 20);
    daemon.stop();
}
