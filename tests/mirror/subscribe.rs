//! What other programs tell over the bus, out of a real Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quantum_clm::app::bus_in::{BusIn, Effects, Followed, Refusal};
use quantum_clm::app::schedule::{Recorded, Trades};
use quantum_clm::config::MirrorMode;
use quantum_clm::domain::access::Actor;
use quantum_clm::domain::audit::AuditEntry;
use quantum_clm::domain::bus_in::Message;
use quantum_clm::domain::time::Micros;
use quantum_clm::mirror::{MirrorSettings, Standing, Subscriptions};
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::now;
use quantum_clm::observe::status::{State, StatusBoard};
use quantum_clm::store::{AuditFilter, Store, WriteTxn};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{Running, runtime, settings};
use crate::support::bus_in::{GROUP, STREAM, ask, dead_letters, payload, pending};
use crate::support::feed::Feed;
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

const CONSUMER: &str = "quantumtrader-prod-1";

/// Quick ones.
fn quick(url: &str) -> MirrorSettings {
    let mut settings = settings(url);
    settings.timing.block = Duration::from_millis(200);
    settings.timing.retry = Duration::from_millis(5);
    settings.timing.claim = Duration::from_millis(20);
    settings.timing.claim_idle = Duration::from_millis(1);
    settings
}

/// Writes a line for each message and for each run of trades that are alike.
struct Noted;

impl Effects for Noted {
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<Followed, Refusal> {
        let (told, actor) = (message.told(), Actor::own("bus"));
        txn.audit(AuditEntry::done(now, &actor, "bus.message", message.subject(), told.clone()))?;
        Ok(Followed { told, ..Followed::default() })
    }

    fn count_trades(&self, txn: &WriteTxn, trades: &[Trades<'_>], now: Micros) -> Result<(), Refusal> {
        for of in trades {
            let (symbol, count) = (of.symbol.unwrap_or_default(), of.count.to_string());
            txn.audit(AuditEntry::done(now, &Actor::own("bus"), "bus.message", symbol, count))?;
        }
        Ok(())
    }

    fn committed(&self, _: &Recorded) {}
}

/// Subscriptions of `store` at work.
fn start(runtime: &Runtime, store: &Arc<Store>, settings: MirrorSettings) -> Running {
    let (stop, shutdown) = watch::channel(false);
    let board = StatusBoard::new();
    let metrics = Metrics::new(StatusBoard::new(), "1", "a", now());
    let inlet = Arc::new(BusIn::new(store.clone(), metrics, Arc::new(Noted)));
    let reporter = board.reporter("subscriptions");
    let subscriptions = Subscriptions::new(store.clone(), settings, inlet, reporter, Arc::new(Standing::default()));
    Running { stop, task: runtime.spawn(subscriptions.run(shutdown)), board, stats: Arc::default() }
}

/// Who asked, in the order in which that was taken in.
fn taken(store: &Store) -> Vec<String> {
    let filter = AuditFilter { action: Some("bus.message".into()), ..Default::default() };
    let (records, _) = store.audit(&filter, u64::MAX, 100_000).expect("the log");
    let asked_by = |why: String| why.strip_prefix("asked for by ").map_or(why.clone(), str::to_owned);
    records.into_iter().rev().map(|record| asked_by(record.why)).collect()
}

#[track_caller]
fn wait_taken(store: &Store, running: &Running, expected: &[&str]) {
    wait_for_some(
        || (taken(store).len() >= expected.len()).then_some(()),
        || format!("{expected:?}; it is {:?}, {:#?}", taken(store), running.status()),
    );
    assert_eq!(taken(store), expected);
}

#[track_caller]
fn wait_acknowledged(redis: &mut RedisServer) {
    wait_for_some(|| (pending(redis) == 0).then_some(()), || "everything is acknowledged".into());
}

#[test]
fn a_new_group_begins_at_the_end() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    ask(&mut redis, "old");
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Ok, "subscribes to 5 types at", "");
    ask(&mut redis, "new");
    wait_taken(&feed.store(), &running, &["new"]);
    wait_acknowledged(&mut redis);
    running.stop(&runtime);
}

#[test]
fn an_existing_group_is_continued_and_what_was_handed_out_comes_first() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    let mut expected = Vec::new();
    for number in 0..250 {
        expected.push(format!("m{number}"));
        ask(&mut redis, &expected[number]);
    }
    // As we were when we died: handed out to us, and not acknowledged.
    let handed = ["XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", "120", "STREAMS", STREAM, ">"];
    redis.try_run(&handed).expect("120 messages");
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    wait_taken(&feed.store(), &running, &expected);
    wait_acknowledged(&mut redis);
    running.stop(&runtime);
}

#[test]
fn what_another_consumer_left_lying_is_taken_over() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    (0..150).for_each(|number| drop(ask(&mut redis, &format!("m{number}"))));
    let handed = ["XREADGROUP", "GROUP", GROUP, "the-predecessor", "COUNT", "1000", "STREAMS", STREAM, ">"];
    redis.try_run(&handed).expect("150 messages");
    // One of them is gone from its stream: nobody can take it in, and it must not lie there for ever.
    let ids: Vec<(String, Option<String>)> = redis.entries(STREAM, "payload");
    redis.run::<u64>(&["XDEL", STREAM, &ids[149].0]);
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    let expected: Vec<String> = (0..149).map(|number| format!("m{number}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    wait_taken(&feed.store(), &running, &expected);
    wait_acknowledged(&mut redis);
    running.stop(&runtime);
}

#[test]
fn what_fails_three_times_is_one_dead_letter_and_holds_nobody_up() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Ok, "subscribes", "");
    let mut bad = Vec::new();
    let large = "x".repeat(10 << 20);
    for text in ["", "no", "{}", &payload("anna").replace("nhits", "nits"), &large] {
        let id: String = redis.run(&["XADD", STREAM, "*", "payload", text, "error", "theirs", "original_id", "0-1"]);
        bad.push(id);
        ask(&mut redis, &format!("behind {id}", id = bad.len()));
    }
    let expected: Vec<String> = (1..=bad.len()).map(|number| format!("behind {number}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    wait_taken(&feed.store(), &running, &expected);
    wait_acknowledged(&mut redis);
    let letters = dead_letters(&mut redis);
    let text = |letter: &BTreeMap<String, String>, name: &str| letter.get(name).cloned().unwrap_or_default();
    let mut ids: Vec<String> = letters.iter().map(|letter| text(letter, "original_id")).collect();
    ids.sort();
    assert_eq!(ids, bad, "each once");
    for letter in &letters {
        assert_eq!(text(letter, "tries"), "3");
        assert_eq!(text(letter, "original_stream"), STREAM);
        assert!(text(letter, "failed_at").starts_with("20"), "{letter:?}");
    }
    let error =
        |id: &String| letters.iter().find(|letter| letter["original_id"] == *id).map(|letter| letter["error"].clone());
    let errors: Vec<String> = bad.iter().map(|id| error(id).expect("its letter")).collect();
    assert!(errors[0].starts_with("payload: it is not JSON"), "{errors:?}");
    assert!(errors[1].starts_with("payload: it is not JSON"), "{errors:?}");
    assert_eq!(errors[2], "payload/model_type: it is missing");
    assert!(errors[3].starts_with("payload/model_type: \"nits\" is no model type"), "{errors:?}");
    assert_eq!(errors[4], "the message: it has more than 65536 bytes");
    let kept = feed.store().dead_letters(None, None, u64::MAX, 100).expect("letters");
    assert_eq!(kept.len(), 5);
    assert!(kept.iter().map(|letter| letter.fields.bytes()).sum::<usize>() < 16 << 10, "10 MiB are not kept");
    running.stop(&runtime);
}

#[test]
fn a_crash_at_any_moment_repeats_nothing_and_loses_nothing() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Ok, "subscribes", "");
    running.stop(&runtime);
    let (mut expected, mut bad) = (Vec::new(), 0);
    for round in 0..12 {
        for number in 0..40 {
            expected.push(format!("m{round}-{number}"));
            ask(&mut redis, expected.last().expect("one"));
        }
        redis.run::<String>(&["XADD", STREAM, "*", "payload", "no"]);
        bad += 1;
        let running = start(&runtime, &feed.store(), quick(&redis.url()));
        let reached = expected.len() - 20;
        wait_for_some(
            || (taken(&feed.store()).len() >= reached).then_some(()),
            || format!("round {round}: {:#?}", running.status()),
        );
        running.crash(&runtime);
    }
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    wait_taken(&feed.store(), &running, &expected);
    wait_acknowledged(&mut redis);
    assert_eq!(dead_letters(&mut redis).len(), bad, "each bad one once");
    running.stop(&runtime);
}

#[test]
fn groups_streams_and_redis_itself_may_go_and_come_back() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Ok, "subscribes", "");
    let mut expected = Vec::new();
    let mut next = |redis: &mut RedisServer, name: &'static str| {
        ask(redis, name);
        expected.push(name);
        wait_taken(&feed.store(), &running, &expected);
    };
    next(&mut redis, "before");
    redis.run::<u64>(&["XGROUP", "DESTROY", STREAM, GROUP]);
    next(&mut redis, "without its group");
    redis.run::<u64>(&["DEL", STREAM]);
    next(&mut redis, "without its stream");
    redis.run::<()>(&["FLUSHALL"]);
    next(&mut redis, "behind a flush");
    redis.stop(false);
    running.wait_for_some(State::Failed, "cannot be reached", "start Redis");
    redis.start();
    next(&mut redis, "behind a restart that forgot everything");
    running.wait_for_some(State::Ok, "subscribes", "");
    wait_acknowledged(&mut redis);
    running.stop(&runtime);
}

#[test]
fn a_key_that_holds_something_else_holds_up_its_own_type_alone() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let other = "quantum:stream:market.regime_changed";
    redis.run::<()>(&["SET", other, "mine"]);
    redis.run::<()>(&["SET", "quantum:dlq:manual.training_requested", "mine"]);
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Failed, "market.regime_changed: the key", "RENAME");
    ask(&mut redis, "anna");
    wait_taken(&feed.store(), &running, &["anna"]);
    redis.run::<u64>(&["DEL", other]);
    running.wait_for_some(State::Ok, "subscribes", "");
    let regime = r#"{"old_regime":"a","new_regime":"b","affected_models":[],"detected_at":"2026-01-17T03:46:06Z"}"#;
    redis.run::<String>(&["XADD", other, "*", "payload", regime]);
    wait_for_some(|| (taken(&feed.store()).len() == 2).then_some(()), || format!("{:?}", taken(&feed.store())));

    // Its dead letters cannot be sent: they wait, and nothing else does.
    redis.run::<String>(&["XADD", STREAM, "*", "payload", "no"]);
    running.wait_for_some(State::Failed, "quantum:dlq:manual.training_requested: the key", "RENAME");
    ask(&mut redis, "ben");
    wait_for_some(|| (taken(&feed.store()).len() == 3).then_some(()), || format!("{:?}", taken(&feed.store())));
    assert_eq!(pending(&mut redis), 1);
    redis.run::<u64>(&["DEL", "quantum:dlq:manual.training_requested"]);
    wait_acknowledged(&mut redis);
    assert_eq!(dead_letters(&mut redis).len(), 1);
    running.wait_for_some(State::Ok, "subscribes", "");
    running.stop(&runtime);
}

#[test]
fn a_replica_and_a_right_that_is_missing_are_said_and_got_over() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    running.wait_for_some(State::Ok, "subscribes", "");
    redis.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    running.wait_for_some(State::Failed, "read-only replica", "REPLICAOF NO ONE");
    redis.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    running.wait_for_some(State::Ok, "subscribes", "");
    running.stop(&runtime);

    redis.run::<()>(&["ACL", "SETUSER", "clm", "on", ">pw", "~quantum:stream:trade.closed", "+@all"]);
    let mut limited = quick(&redis.url());
    limited.redis.url = format!("{}?user=clm&pass=pw", redis.url());
    let running = start(&runtime, &feed.store(), limited);
    running.wait_for_some(State::Failed, "does not let this user", "ACL SETUSER");
    redis.run::<()>(&["ACL", "SETUSER", "clm", "~quantum:*"]);
    running.wait_for_some(State::Ok, "subscribes", "");
    ask(&mut redis, "anna");
    wait_taken(&feed.store(), &running, &["anna"]);
    running.stop(&runtime);
}

#[test]
fn it_holds_while_the_predecessor_does_the_work() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    let mut auto = quick(&redis.url());
    auto.redis.mirror = MirrorMode::Auto;
    let running = start(&runtime, &feed.store(), auto.clone());
    running.wait_for_some(State::Warn, "holds until the mirror has taken the streams over", "`mirror`");
    ask(&mut redis, "the predecessor's");
    assert_eq!(redis.run::<u64>(&["XLEN", STREAM]), 1);
    assert_eq!(redis.run::<Vec<redis::Value>>(&["XINFO", "GROUPS", STREAM]), [], "there is no group yet");
    // Nobody writes to the events' stream, and nothing runs: the mirror takes over at once.
    let mirror = Running::start(&runtime, feed.store(), auto);
    running.wait_for_some(State::Ok, "subscribes", "");
    ask(&mut redis, "ours");
    wait_taken(&feed.store(), &running, &["ours"]);
    mirror.stop(&runtime);
    running.stop(&runtime);

    for (change, why) in [
        ((|url, _| *url = String::new()) as fn(&mut String, &mut MirrorMode), "redis.url is empty"),
        (|_, mode| *mode = MirrorMode::Off, "redis.mirror is off"),
    ] {
        let mut off = quick(&redis.url());
        change(&mut off.redis.url, &mut off.redis.mirror);
        let running = start(&runtime, &feed.store(), off);
        running.wait_for_some(State::Off, why, "");
        running.stop(&runtime);
    }
}

#[test]
fn ten_thousand_messages_at_once_come_in_order() {
    let (runtime, mut redis, feed) = (runtime(), RedisServer::started(&[]), Feed::new());
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    redis.run::<()>(&[
        "XGROUP",
        "CREATE",
        "quantum:stream:trade.closed",
        "quantum:group:clm_service:trade.closed",
        "0",
        "MKSTREAM",
    ]);
    let fill = "for i = 1, 10000 do \
                redis.call('XADD', KEYS[1], '*', 'payload', '{\"model_type\":\"nhits\",\"timeframe\":\"4h\",\"requested_by\":\"' .. i .. '\"}') \
                redis.call('XADD', KEYS[2], '*', 'symbol', 'BTCUSDT', 'side', 'BUY') end";
    redis.run::<()>(&["EVAL", fill, "2", STREAM, "quantum:stream:trade.closed"]);
    let running = start(&runtime, &feed.store(), quick(&redis.url()));
    wait_for_some(
        || (pending(&mut redis) == 0 && running.status().figures.get("lag_messages") == Some(&0)).then_some(()),
        || format!("{:#?}", running.status()),
    );
    running.stop(&runtime);
    let all = taken(&feed.store());
    let filter = AuditFilter { action: Some("bus.message".into()), ..Default::default() };
    let (records, _) = feed.store().audit(&filter, u64::MAX, 100_000).expect("the log");
    let trades: u64 =
        records.iter().filter(|r| r.subject == "btcusdt").map(|r| r.why.parse::<u64>().expect("a count")).sum();
    assert_eq!(trades, 10_000);
    let asked: Vec<u64> = records
        .iter()
        .rev()
        .filter(|record| record.subject != "btcusdt")
        .map(|record| record.why["asked for by ".len()..].parse().expect("a number"))
        .collect();
    assert_eq!(asked, (1..=10_000).collect::<Vec<u64>>(), "{} records", all.len());
}
