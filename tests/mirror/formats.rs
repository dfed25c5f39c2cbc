//! The formats of SPEC §4.1 to §4.3, as other programs read them.

use quantum_clm::domain::id::IntentId;
use quantum_clm::domain::intent::{IntentKey, Severity, Subject};
use quantum_clm::domain::rules::{Finding, Raise};
use quantum_clm::domain::time::Micros;
use quantum_clm::mirror::FOLLOWER;
use quantum_clm::observe::now;
use quantum_clm::observe::status::State;
use quantum_clm::store::{Store, StoreError};
use serde_json::{Value, json};

use super::{INTENTS, Running, STREAM, runtime, settings};
use crate::support::feed::Feed;
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

fn raise(store: &Store, unit: &str, errors: u64, severity: Severity) {
    let raise = Raise {
        key: IntentKey { rule: "error_rate".into(), subject: Subject::Unit(unit.into()), window: "2026011703".into() },
        severity,
        reason: format!("High error rate: {errors} errors/hour"),
        suggested_action: "investigate".into(),
        count: errors,
        threshold: 20,
        at: Micros(1_768_621_573_000_000),
    };
    store.write::<_, StoreError>(|txn| txn.apply_findings(&[Finding::Raise(raise)], now())).expect("a commit");
}

fn intents(redis: &mut RedisServer, count: usize) -> Vec<Value> {
    let entries = wait_for_some(
        || Some(redis.entries(INTENTS, "intent")).filter(|entries| entries.len() >= count),
        || format!("{count} intents"),
    );
    entries.into_iter().map(|(_, json)| serde_json::from_str(&json.expect("the field")).expect("JSON")).collect()
}

#[test]
fn events_stand_in_the_stream_as_the_specification_says() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    feed.append(211);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    wait_for_some(|| (mirror.stats.events_sent() == 211).then_some(()), || format!("{:#?}", mirror.status()));
    assert_eq!(redis.run::<u64>(&["XLEN", STREAM]), 211);
    let entries = redis.entries(STREAM, "event");
    let ids: Vec<String> = feed.all().iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(entries.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), ids);
    let event = |at: usize| -> Value { serde_json::from_str(entries[at].1.as_ref().expect("event")).expect("JSON") };
    assert_eq!(
        event(210),
        json!({
            "id": ids[210], "ts": "1768621480019316", "unit": "quantum-ai-engine.service", "level": "4",
            "message": "line 210 ", "symbol": "INJUSDT", "correlation_id": "60965827-3887-45f4-9153-cca5cf1c301f",
            "source": "ai_engine", "host": "quantumtrader-prod-1", "tags": ["error", "warning"], "decision": "BUY",
            "confidence": 0.69
        })
    );
    assert_eq!(
        event(1),
        json!({
            "id": ids[1], "ts": "1768621479810316", "unit": "quantum-execution.service", "level": "6",
            "message": "line 1 ", "symbol": null, "correlation_id": null, "source": "execution",
            "host": "quantumtrader-prod-1", "tags": []
        })
    );
    mirror.stop(&runtime);
    let position = feed.store().follower(FOLLOWER).expect("a position");
    assert_eq!(position.event.to_string(), ids[210], "the stop saves the position");
}

#[test]
fn counters_stand_under_their_keys_for_a_day() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    feed.append(100);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    let hour = "2026011703";
    let key = |word: &str, name: &str| format!("quantum:clm:{word}:{name}:{hour}");
    let wanted = [
        (key("count", "quantum-ai-engine.service"), "60"),
        (key("count", "quantum-execution.service"), "60"),
        (key("errors", "quantum-ai-engine.service"), "12"),
        (key("symbol", "INJUSDT"), "40"),
    ];
    feed.append(20);
    for (key, value) in &wanted {
        wait_for_some(
            || redis.run::<Option<String>>(&["GET", key]).filter(|found| found == value),
            || format!("{key} is not {value}"),
        );
        let seconds = redis.run::<u64>(&["TTL", key]);
        assert!((80_000..=86_400).contains(&seconds), "{key} expires in {seconds} s");
    }
    assert_eq!(redis.run::<Vec<String>>(&["KEYS", "quantum:clm:*"]).len(), wanted.len());
    // Redis forgets them while nothing happens: they come again.
    redis.stop(false);
    redis.start();
    for (key, value) in &wanted {
        wait_for_some(|| redis.run::<Option<String>>(&["GET", key]).filter(|found| found == value), || key.clone());
    }
    mirror.stop(&runtime);
}

#[test]
fn intents_stand_in_their_stream_once() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let unit = "quantum-risk-brain.service";
    raise(&feed.store(), unit, 21, Severity::Medium);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    let message = |errors: u64, severity: &str| {
        json!({
            "ts": 1_768_621_573, "reason": format!("High error rate: {errors} errors/hour"), "unit": unit,
            "symbol": null, "severity": severity, "suggested_action": "investigate",
            "consumer": "quantumtrader-prod-1"
        })
    };
    assert_eq!(intents(&mut redis, 1), [message(21, "medium")]);
    // A crash before the position is saved, and somebody else's entry with a larger id.
    mirror.crash(&runtime);
    let before = feed.store().follower(FOLLOWER).expect("a position");
    feed.store()
        .write::<_, StoreError>(|txn| {
            txn.put_follower(FOLLOWER, &quantum_clm::store::FollowerPosition { outbox: 0, ..before })
        })
        .expect("a commit");
    redis.run::<String>(&["XADD", INTENTS, "99999999999999-0", "intent", "{}"]);
    raise(&feed.store(), unit, 32, Severity::High);
    assert_eq!(feed.store().intent(IntentId(1)).expect("a read").expect("it").count, 32);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    assert_eq!(intents(&mut redis, 3), [message(21, "medium"), json!({}), message(32, "high")]);
    mirror.wait_for_some(State::Ok, "mirrors", "");
    // A stream that was emptied is not filled with intents that somebody acted on already.
    redis.run::<()>(&["FLUSHALL"]);
    raise(&feed.store(), "quantum-execution.service", 25, Severity::Medium);
    let after = intents(&mut redis, 1);
    assert_eq!((after.len(), &after[0]["unit"]), (1, &json!("quantum-execution.service")));
    mirror.stop(&runtime);
}
