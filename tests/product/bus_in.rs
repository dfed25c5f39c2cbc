//! The event bus into the real binary: deaths at the named places, bursts, and dead letters as an operator meets them.

use std::collections::BTreeMap;

use quantum_clm::domain::job::Trigger;
use quantum_clm::store::{Scheduled as _, Store};
use serde_json::json;

use crate::support::bus_in::{GROUP, STREAM, ask, dead_letters, payload, pending};
use crate::support::daemon::{Bed, Daemon};
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

fn bed(redis: &RedisServer) -> Bed {
    Bed::new(&redis.url(), &["redis.mirror = \"on\""])
}

/// Who asked, in the order in which that was taken in: each message is one trigger of the scheduler.
fn taken(bed: &Bed) -> Vec<String> {
    let store = Store::open(bed.data_file()).expect("the data file");
    let (triggers, _) = store.triggers(None, Some(Trigger::Manual), u64::MAX, usize::MAX).expect("triggers");
    store.close();
    triggers.into_iter().rev().map(|trigger| trigger.by).collect()
}

/// Messages of a type that this process brought to this outcome.
fn counted(daemon: &Daemon, topic: &str, outcome: &str) -> Option<u64> {
    daemon.metric(&format!("quantum_clm_bus_messages_total{{type=\"{topic}\",outcome=\"{outcome}\"}}"))
}

const ASKED: &str = "manual.training_requested";

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

#[test]
fn each_type_of_message_is_a_trigger_and_trades_are_counted() {
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    let model = "xgboost_btcusdt_1h";
    bed.set(&format!("scheduler.models = [\"{model}\"]"));
    let daemon = bed.start();
    let types = ["model.drift_detected", "performance.degraded", "market.regime_changed", "trade.closed"];
    for topic in types {
        let stream = format!("quantum:stream:{topic}");
        wait_for_some(
            || (redis.run::<u64>(&["EXISTS", &stream]) == 1).then_some(()),
            || format!("a group for {topic}: {}", daemon.log()),
        );
    }
    let at = "\"detected_at\":\"2026-01-17T03:46:06Z\"";
    let about = format!("\"model_id\":\"{model}\",\"model_type\":\"xgboost\"");
    for (topic, payload) in [
        (types[0], format!("{{{about},\"drift_score\":0.4,{at}}}")),
        (types[1], format!("{{{about},\"sharpe_ratio\":0.1,{at}}}")),
        (
            types[2],
            format!("{{\"old_regime\":\"bull\",\"new_regime\":\"bear\",\"affected_models\":[\"{model}\"],{at}}}"),
        ),
        (types[0], format!("{{\"model_id\":\"nobody\",\"model_type\":\"xgboost\",\"drift_score\":0.4,{at}}}")),
    ] {
        redis.run::<String>(&["XADD", &format!("quantum:stream:{topic}"), "*", "payload", &payload]);
    }
    for symbol in ["BTCUSDT", "BTC/USDT", "ETHUSDT"] {
        redis.run::<String>(&["XADD", "quantum:stream:trade.closed", "*", "symbol", symbol, "side", "BUY"]);
    }
    wait_for_some(
        || {
            let counts = types.map(|topic| counted(&daemon, topic, "taken").unwrap_or(0));
            (counts == [2, 1, 1, 3]).then_some(())
        },
        || daemon.log(),
    );
    daemon.stop();
    let store = Store::open(bed.data_file()).expect("the data file");
    let (triggers, _) = store.triggers(None, None, u64::MAX, usize::MAX).expect("triggers");
    let mut said: Vec<(String, Option<String>, String)> = triggers
        .into_iter()
        .filter(|trigger| trigger.by.contains('.'))
        .map(|trigger| (trigger.by, trigger.model.map(|model| model.to_string()), trigger.evidence))
        .collect();
    said.sort();
    let row = |by: &str, of: Option<&str>, evidence: &str| (by.to_owned(), of.map(str::to_owned), evidence.to_owned());
    let when = "2026-01-17T03:46:06.000Z";
    assert_eq!(
        said,
        [
            row(types[2], Some(model), &format!("regime bear after bull at {when}; models named: 1")),
            row(types[0], None, &format!("drift score 0.4 at {when}")),
            row(types[0], Some(model), &format!("drift score 0.4 at {when}")),
            row(types[1], Some(model), &format!("Sharpe ratio 0.1 at {when}")),
        ]
    );
    let standing = store.read(|txn| txn.standing(&model.parse().expect("an id"))).expect("a look").expect("a standing");
    assert_eq!(standing.trades, 2, "those of its symbol: {standing:?}");
    store.close();
}

#[test]
fn a_storm_of_drift_messages_waits_its_turn() {
    const MODELS: usize = 500;
    const DRIFT: &str = "model.drift_detected";
    let mut redis = RedisServer::started(&[]);
    let bed = bed(&redis);
    let models: Vec<String> = (0..MODELS).map(|number| format!("xgboost_s{number:03}usdt_1h")).collect();
    bed.set(&format!("scheduler.models = {models:?}"));
    let (stream, group) = (format!("quantum:stream:{DRIFT}"), format!("quantum:group:clm_service:{DRIFT}"));
    redis.run::<()>(&["XGROUP", "CREATE", &stream, &group, "0", "MKSTREAM"]);
    for model in &models {
        let payload = format!(
            r#"{{"model_id":"{model}","model_type":"xgboost","drift_score":0.4,"detected_at":"2026-01-17T03:46:06Z"}}"#
        );
        redis.run::<String>(&["XADD", &stream, "*", "payload", &payload]);
    }
    let daemon = bed.start();
    wait_for_some(|| counted(&daemon, DRIFT, "taken").filter(|count| *count == MODELS as u64), || daemon.log());
    let jobs = daemon.ask("GET", "/api/jobs?limit=100", &json!({})).1;
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(4), "scheduler.starts_per_hour: {jobs}");
    // Nothing is lost: each waits, and the page and the command show why.
    let said = bed.run(&["schedule", "triggers"]);
    assert!(said.out.contains("4 trainings an hour are enough (scheduler.starts_per_hour)"), "{said:?}");
    daemon.stop();
    let store = Store::open(bed.data_file()).expect("the data file");
    let (triggers, _) = store.triggers(None, Some(Trigger::DriftDetected), u64::MAX, usize::MAX).expect("triggers");
    assert_eq!(triggers.iter().filter(|trigger| trigger.is_waiting()).count(), MODELS - 4);
    store.close();
}
