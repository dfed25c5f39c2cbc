//! The event bus out of the real binary: deaths at the named places, and webhooks as an operator meets them.

use quantum_clm::store::Store;
use serde_json::json;

use crate::support::bus::put;
use crate::support::daemon::Bed;
use crate::support::receiver::{Receiver, Reply, write_secret};
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

const SECRET: &str = "whsec_bm9ib2R5IG1heSBzZWUgdGhpcyBzZWNyZXQ=";

/// Puts events out while no daemon runs.
fn put_offline(bed: &Bed, numbers: std::ops::Range<u64>) -> Vec<String> {
    let store = Store::open(bed.data_file()).expect("the data file");
    let ids = put(&store, numbers);
    store.close();
    ids
}

fn bed(redis: &str, receiver: &Receiver) -> Bed {
    let bed = Bed::new(redis, &["redis.mirror = \"on\""]);
    let secret = bed.data_file().with_file_name("ops.secret");
    write_secret(&secret, &format!("{SECRET}\n"));
    bed.set(&format!("[notify.webhooks.ops]\nurl = \"{}\"\nsecret_file = {secret:?}", receiver.url()));
    bed
}

fn streamed(redis: &mut RedisServer) -> Vec<String> {
    let entries = redis.entries("quantum:stream:clm.model_promoted", "id");
    entries.into_iter().map(|(_, id)| id.expect("an id")).collect()
}

/// Every fourth is a promotion.
fn promotions(ids: &[String]) -> Vec<String> {
    ids.iter().skip(2).step_by(4).cloned().collect()
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_between_redis_and_the_position_repeats_nothing() {
    for place in ["mirror.bus.sent", "mirror.bus.saved"] {
        let mut redis = RedisServer::started(&[]);
        let bed = Bed::new(&redis.url(), &["redis.mirror = \"on\""]);
        let mut ids = put_offline(&bed, 0..12);
        // The first save only says that the bus is there.
        let passed = if place == "mirror.bus.saved" { "1*off->return" } else { "return" };
        let mut daemon = bed.spawn(&format!("{place}={passed}"));
        let status = daemon.wait_end();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(6), "{place}: {status}");
        assert_eq!(streamed(&mut redis), promotions(&ids), "{place}: it died behind them");
        ids.extend(put_offline(&bed, 12..24));
        let daemon = bed.start();
        wait_for_some(
            || (streamed(&mut redis).len() >= promotions(&ids).len()).then_some(()),
            || format!("{place}: {:?}", promotions(&ids)),
        );
        assert_eq!(streamed(&mut redis), promotions(&ids), "{place}");
        daemon.stop();
    }
}

#[cfg(feature = "failpoints")]
#[test]
fn a_death_between_a_receiver_and_the_position_repeats_under_the_same_id() {
    let receiver = Receiver::start();
    let bed = bed("", &receiver);
    bed.start().stop();
    let ids = put_offline(&bed, 0..3);
    let mut daemon = bed.spawn("webhook.answered=1*off->return");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&daemon.wait_end()), Some(6));
    assert_eq!(receiver.ids(), ids[..2]);
    let daemon = bed.start();
    wait_for_some(|| (receiver.ids().len() >= 4).then_some(()), || format!("{:?}", receiver.ids()));
    assert_eq!(receiver.ids(), [&ids[0], &ids[1], &ids[1], &ids[2]].map(Clone::clone));
    daemon.stop();
}

#[test]
fn an_operator_sees_a_webhook_fail_tests_it_and_sends_again() {
    let receiver = Receiver::start();
    let bed = bed("", &receiver);
    bed.start().stop();
    let ids = put_offline(&bed, 0..2);
    receiver.next(&[Reply::Say(500, "", "under repair")]);
    let daemon = bed.start();
    let webhook = |daemon: &crate::support::daemon::Daemon| daemon.ask("GET", "/api/webhooks", &json!({})).1;
    let seen = wait_for_some(
        || Some(webhook(&daemon)).filter(|seen| seen["webhooks"][0]["failing"] == true),
        || format!("{}", webhook(&daemon)),
    );
    let ops = &seen["webhooks"][0];
    assert_eq!(ops["name"], "ops");
    assert_eq!(ops["to"], format!("http://127.0.0.1:{}", receiver.port));
    assert_eq!((&ops["waiting"], &ops["attempts"]), (&json!(2), &json!(1)));
    assert_eq!(ops["last_error"], "it answers 500: under repair");
    assert!(ops["next_try"].is_string() && ops["last_success"].is_null(), "{ops}");

    let (status, test) = daemon.ask("POST", "/api/webhooks/ops/test", &json!({}));
    assert_eq!((status, &test["outcome"], &test["type"]), (200, &json!("delivered"), &json!("clm.test")), "{test}");
    wait_for_some(
        || (webhook(&daemon)["webhooks"][0]["waiting"] == 0).then_some(()),
        || format!("{}", webhook(&daemon)),
    );
    let log = daemon.ask("GET", "/api/webhooks/ops/deliveries?limit=2", &json!({})).1;
    assert_eq!(log["deliveries"][0]["id"], ids[1], "{log}");
    let (number, next) = (&log["deliveries"][0]["number"], log["next"].as_str().expect("more"));
    let more = daemon.ask("GET", &format!("/api/webhooks/ops/deliveries?cursor={next}"), &json!({})).1;
    assert_eq!(more["deliveries"].as_array().map(Vec::len), Some(2), "{more}");
    let replay = |number: &serde_json::Value| {
        daemon.ask("POST", &format!("/api/webhooks/ops/deliveries/{number}/replay"), &json!({}))
    };
    let (status, again) = replay(number);
    assert_eq!((status, &again["id"], &again["occasion"]), (200, &json!(ids[1]), &json!("replay")), "{again}");
    assert_eq!(replay(&test["number"]).0, 409, "a test is no event");
    assert_eq!(replay(&json!(99)).0, 404);
    assert_eq!(daemon.ask("POST", "/api/webhooks/none/test", &json!({})).0, 404);
    assert_eq!(receiver.ids(), [&ids[0], test["id"].as_str().expect("an id"), &ids[0], &ids[1], &ids[1]]);
    let key = "nobody may see this secret";
    receiver.received().iter().for_each(|request| request.assert_signed(key));

    let audit = daemon.ask("GET", "/api/audit?action=webhook.", &json!({})).1;
    let done: Vec<_> = audit["records"].as_array().expect("records").iter().map(|record| &record["action"]).collect();
    assert_eq!(done, ["webhook.replay", "webhook.test"], "{audit}");
    // Nothing that was configured as a secret comes out anywhere.
    let pages = ["/webhooks", "/webhooks/ops", "/metrics", "/api/health", "/api/webhooks/ops/deliveries"];
    let mut said: Vec<String> = pages.iter().map(|path| daemon.get(path).unwrap_or_else(|| panic!("{path}"))).collect();
    said.push(daemon.log());
    said.push(bed.run(&["config", "show"]).out);
    for text in said {
        for secret in ["k3y-in-the-query", &SECRET[6..], key] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    daemon.stop();
}
