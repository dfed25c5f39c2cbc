//! The event bus in a real Redis: every event once, in order, with an id, whatever breaks.

use std::sync::Arc;

use quantum_clm::observe::now;
use quantum_clm::observe::status::State;
use quantum_clm::store::{OutboxKind, Retention, Store, StoreError};
use serde_json::{Value, json};

use super::{INTENTS, Running, STREAM, runtime, settings};
use crate::support::bus::{TYPES, put, put_at};
use crate::support::feed::Feed;
use crate::support::proxy::{Cut, Proxy};
use crate::support::redis::RedisServer;
use crate::support::{Random, wait_for_some};

const DAY: u64 = 24 * 3_600_000_000;

fn key(event_type: &str) -> String {
    format!("quantum:stream:{event_type}")
}

/// The ids in the stream of a type, in its order.
fn ids(redis: &mut RedisServer, event_type: &str) -> Vec<String> {
    redis.entries(&key(event_type), "id").into_iter().map(|(_, id)| id.expect("an id")).collect()
}

/// Waits until each of these, put out one type after the other, stands in its stream once and in order.
#[track_caller]
fn all_arrive(redis: &mut RedisServer, mirror: &Running, expected: &[String]) {
    for (at, event_type) in TYPES.iter().enumerate() {
        let expected: Vec<_> = expected.iter().skip(at).step_by(TYPES.len()).cloned().collect();
        let mut found = Vec::new();
        wait_for_some(
            || {
                found = ids(redis, event_type);
                (found.len() >= expected.len()).then_some(())
            },
            || format!("{event_type}: {} events: {:#?}", expected.len(), mirror.status()),
        );
        assert_eq!(found, expected, "{event_type}");
    }
}

#[test]
fn an_entry_has_exactly_the_fields_of_the_specification_and_an_id() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let at = quantum_clm::domain::time::Micros(1_768_621_479_809_316);
    let sent = put_at(&feed.store(), 0..4, at);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    all_arrive(&mut redis, &mirror, &sent);
    let entries: Vec<(String, Vec<String>)> = redis.run(&["XRANGE", &key("clm.model_promoted"), "-", "+"]);
    let [(entry, fields)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry, "1768621479809-3");
    let names: Vec<_> = fields.iter().step_by(2).map(String::as_str).collect();
    assert_eq!(names, ["event_type", "payload", "trace_id", "correlation_id", "timestamp", "source", "id"]);
    let values: Vec<_> = fields.iter().skip(1).step_by(2).map(String::as_str).collect();
    let payload: Value = serde_json::from_str(values[1]).expect("JSON");
    assert_eq!(
        payload,
        json!({
            "model_id": "xgboost_btcusdt_1h", "version": "v20260117_000002", "previous_version": "v20260117_000001",
            "promoted_by": "anna", "promoted_at": "2026-01-17T03:44:39.809Z",
        })
    );
    let rest = [values[0], values[2], values[3], values[4], values[5], values[6]];
    assert_eq!(
        rest,
        [
            "clm.model_promoted",
            "",
            "xgboost_btcusdt_1h/v20260117_000002",
            "2026-01-17T03:44:39.809Z",
            "clm_service",
            sent[2].as_str()
        ]
    );
    wait_for_some(
        || (mirror.status().figures.get("bus_waiting_events") == Some(&0)).then_some(()),
        || format!("none waits: {:#?}", mirror.status()),
    );
    mirror.stop(&runtime);
}

#[test]
fn lost_answers_crashes_and_restarts_neither_repeat_nor_lose_nor_reorder() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let proxy = runtime.block_on(Proxy::start(redis.socket()));
    let mut mirror = Running::start(&runtime, feed.store(), settings(&proxy.url()));
    let (mut random, mut sent) = (Random(4), Vec::new());
    let lengths = "local n = {} for i, k in ipairs(KEYS) do n[i] = redis.call('XLEN', k) end return n";
    for round in 0..60 {
        let next = sent.len() as u64;
        sent.extend(put(&feed.store(), next..next + 1 + random.below(20)));
        match random.below(5) {
            0 => proxy.cut(Cut { answers: Some(random.below(2_000)), requests: None }),
            1 => proxy.cut(Cut { answers: None, requests: Some(random.below(4_000)) }),
            2 if round % 2 == 0 => {
                mirror.crash(&runtime);
                mirror = Running::start(&runtime, feed.store(), settings(&proxy.url()));
            }
            3 => {
                // Somebody else writes to the same stream, ids of their own ahead of ours.
                let ahead = format!("{}-0", now().millis() + 1_000 + round);
                let _ = redis.try_run(&["XADD", &key(TYPES[1]), &ahead, "event_type", "x", "id", "theirs"]);
            }
            _ => {}
        }
        // At every instant what is there is a beginning of what was put out, over all types.
        let keys: Vec<String> = TYPES[..1].iter().chain(&TYPES[2..]).map(|name| key(name)).collect();
        let command = ["EVAL", lengths, "3", keys[0].as_str(), keys[1].as_str(), keys[2].as_str()];
        let found: Vec<u64> = redis.run(&command);
        assert!(found[0] >= found[1] && found[1] >= found[2] && found[0] <= found[2] + 1, "out of order: {found:?}");
    }
    proxy.cut(Cut::default());
    wait_for_some(
        || (ids(&mut redis, TYPES[1]).iter().filter(|id| *id != "theirs").count() >= sent.len() / 4).then_some(()),
        || format!("{:#?}", mirror.status()),
    );
    let foreign: Vec<(String, Option<String>)> = redis.entries(&key(TYPES[1]), "id");
    for (entry, _) in foreign.iter().filter(|(_, id)| id.as_deref() == Some("theirs")) {
        redis.run::<u64>(&["XDEL", &key(TYPES[1]), entry]);
    }
    all_arrive(&mut redis, &mirror, &sent);
    mirror.stop(&runtime);
}

#[test]
fn a_redis_that_is_away_gets_all_of_it_when_it_is_back() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&["--appendonly", "yes"]), Feed::new());
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    let mut sent = put(&feed.store(), 0..10);
    all_arrive(&mut redis, &mirror, &sent);
    redis.stop(true);
    sent.extend(put(&feed.store(), 10..250));
    wait_for_some(
        || (mirror.status().figures.get("bus_waiting_events") == Some(&240)).then_some(()),
        || format!("240 wait: {:#?}", mirror.status()),
    );
    redis.start();
    all_arrive(&mut redis, &mirror, &sent);
    mirror.stop(&runtime);
}

#[test]
fn a_stream_that_holds_something_else_holds_up_its_own_type_alone() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    redis.run::<()>(&["SET", &key("clm.model_promoted"), "mine"]);
    feed.append(5);
    let mut sent = put(&feed.store(), 0..8);
    let intent = r#"{"ts":1,"reason":"r","unit":"u"}"#.to_owned();
    let put_intent = |store: &Store| {
        store.write::<_, StoreError>(|txn| txn.put_out(OutboxKind::Intent, now(), intent.clone())).expect("a commit")
    };
    put_intent(&feed.store());
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "event bus: quantum:stream:clm.model_promoted: the key", "RENAME");
    let others = |redis: &mut RedisServer, count: u64| {
        let lengths = [TYPES[0], TYPES[1], TYPES[3]].map(|name| redis.run::<u64>(&["XLEN", &key(name)]));
        lengths == [count; 3]
    };
    wait_for_some(|| others(&mut redis, 2).then_some(()), || format!("the other types: {:#?}", mirror.status()));
    wait_for_some(
        || (redis.run::<u64>(&["XLEN", STREAM]) == 5 && redis.run::<u64>(&["XLEN", INTENTS]) == 1).then_some(()),
        || format!("events and intents: {:#?}", mirror.status()),
    );
    wait_for_some(
        || (mirror.status().figures.get("bus_waiting_events") == Some(&2)).then_some(()),
        || format!("two wait: {:#?}", mirror.status()),
    );
    // A restart, also of one that dies, knows what was held up and what was not.
    mirror.crash(&runtime);
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "event bus: quantum:stream:clm.model_promoted", "RENAME");
    sent.extend(put(&feed.store(), 8..12));
    wait_for_some(|| others(&mut redis, 3).then_some(()), || format!("the other types: {:#?}", mirror.status()));
    redis.run::<()>(&["DEL", &key("clm.model_promoted")]);
    all_arrive(&mut redis, &mirror, &sent);
    mirror.wait_for_some(State::Ok, "mirrors", "");
    mirror.stop(&runtime);
}

#[test]
fn a_refused_stream_of_events_does_not_keep_the_bus_waiting() {
    let (runtime, mut redis, mut feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Ok, "mirrors", "");
    redis.run::<()>(&["SET", STREAM, "mine"]);
    feed.append(5);
    mirror.wait_for_some(State::Failed, "holds something else", "redis.stream");
    let sent = put(&feed.store(), 0..4);
    all_arrive(&mut redis, &mirror, &sent);
    mirror.stop(&runtime);
}

#[test]
fn what_is_not_sent_is_kept_for_thirty_days_and_what_is_sent_for_seven() {
    let (runtime, redis, feed) = (runtime(), RedisServer::stopped(&[]), Feed::new());
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    mirror.wait_for_some(State::Failed, "cannot be reached", "start Redis");
    let started = now();
    let kept = |store: &Arc<Store>| store.outbox_after(0, 100).expect("a look").len();
    put_at(&feed.store(), 0..4, started);
    put_at(&feed.store(), 4..8, started.plus(10 * DAY));
    let trim = |store: &Arc<Store>, days: u64| {
        let retention = Retention { days: 30, bytes: 1 << 30 };
        store.trim(retention, started.plus(days * DAY + 1)).expect("a trim");
        kept(store)
    };
    assert_eq!(trim(&feed.store(), 8), 8, "nobody has sent them");
    assert_eq!(trim(&feed.store(), 30), 4, "nobody wants them for ever");
    mirror.stop(&runtime);
    let mut redis = redis;
    redis.start();
    let mirror = Running::start(&runtime, feed.store(), settings(&redis.url()));
    wait_for_some(|| (mirror.stats.bus_events_sent() == 4).then_some(()), || format!("{:#?}", mirror.status()));
    mirror.stop(&runtime);
    assert_eq!(trim(&feed.store(), 16), 4);
    assert_eq!(trim(&feed.store(), 17), 1, "the newest is the sequence's memory");
}
