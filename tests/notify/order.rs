//! What a receiver gets: every event that it wants, in order, signed, each under one id.

use quantum_clm::domain::time::Micros;
use quantum_clm::domain::webhook::{Occasion, Outcome};
use quantum_clm::observe::now;
use serde_json::json;

use super::{Bed, SECRET};
use crate::support::bus::{TYPES, event, put, put_at};
use crate::support::receiver::{Receiver, Reply};
use crate::support::wait_for_some;

#[test]
fn a_request_is_as_the_standard_has_it() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.webhook("ops", &receiver.url());
    let ops = bed.start("ops");
    let at = Micros(1_768_621_479_809_316);
    let before = now().seconds();
    let ids = put_at(&bed.store(), 2..3, at);
    bed.settle(&ops);
    let [request] = receiver.received().try_into().expect("one request");
    assert_eq!(request.line, "POST /hook?key=k3y-in-the-query HTTP/1.1");
    assert_eq!(request.header("host"), format!("127.0.0.1:{}", receiver.port));
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), ids[0]);
    let sent: u64 = request.header("webhook-timestamp").parse().expect("seconds");
    assert!((before..=now().seconds()).contains(&sent), "{sent}");
    request.assert_signed(SECRET);
    let payload = event(2, at).payload;
    let expected = json!({"type": TYPES[2], "timestamp": "2026-01-17T03:44:39.809Z", "id": ids[0], "data": payload});
    assert_eq!(request.json(), expected);
    let [line] = bed.log("ops").try_into().expect("one line");
    assert_eq!((line.id.as_str(), line.seq, line.attempt), (ids[0].as_str(), 1, 1));
    assert_eq!((line.outcome, line.occasion, line.status), (Outcome::Delivered, Occasion::Queue, Some(204)));
    assert!(ops.metrics().contains("webhook_deliveries_total{webhook=\"ops\",outcome=\"delivered\"} 1"));
    ops.stop(&bed);
}

#[test]
fn each_gets_what_it_wants_in_order_and_none_waits_for_another() {
    let (mut bed, all, few, stuck) = (Bed::new(), Receiver::start(), Receiver::start(), Receiver::start());
    bed.webhook("all", &all.url());
    bed.webhook("few", &few.url()).events = vec!["clm.model_promoted".into()];
    bed.webhook("stuck", &stuck.url());
    stuck.otherwise(Some(Reply::Hang));
    put(&bed.store(), 0..3);
    let running = ["all", "few", "stuck"].map(|name| bed.start(name));
    let ids = put(&bed.store(), 0..40);
    running[..2].iter().for_each(|running| bed.settle(running));
    assert_eq!(all.ids(), ids, "all of them from its beginning on, and nothing from before");
    assert_eq!(few.ids(), ids.iter().skip(2).step_by(4).cloned().collect::<Vec<_>>());
    wait_for_some(|| (!stuck.ids().is_empty()).then_some(()), || "the request that hangs".into());
    let [.., stuck_one] = running;
    assert_eq!(stuck_one.webhook.standing().expect("a look").waiting, 40);
    stuck_one.crash(&bed);
}

#[test]
fn what_is_refused_comes_again_under_its_id_before_what_is_behind_it() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.webhook("ops", &receiver.url());
    receiver.next(&[
        Reply::Say(500, "", "try\r\nlater"),
        Reply::Close,
        Reply::Say(307, "location: http://127.0.0.1:1/\r\n", ""),
    ]);
    let ops = bed.start("ops");
    let ids = put(&bed.store(), 0..2);
    bed.settle(&ops);
    assert_eq!(receiver.ids(), [&ids[0], &ids[0], &ids[0], &ids[0], &ids[1]].map(Clone::clone));
    let requests = receiver.received();
    assert!(requests.iter().take(4).all(|request| request.body == requests[0].body), "the same bytes each time");
    let log = bed.log("ops");
    let facts: Vec<_> = log.iter().map(|line| (line.attempt, line.outcome, line.status)).collect();
    let failed = Outcome::Failed;
    let delivered = Outcome::Delivered;
    assert_eq!(
        facts,
        [
            (1, failed, Some(500)),
            (2, failed, None),
            (3, failed, Some(307)),
            (4, delivered, Some(204)),
            (1, delivered, Some(204))
        ]
    );
    assert_eq!(log[0].why, "it answers 500: try later");
    assert!(log[1].why.starts_with("the exchange broke off"), "{}", log[1].why);
    assert!(log[2].why.contains("redirects are not followed"), "{}", log[2].why);
    assert!(log[0].next_try.is_some_and(|next| next > log[0].at) && log[3].next_try.is_none());
    ops.stop(&bed);
}

#[test]
fn a_crash_between_the_answer_and_the_commit_repeats_under_the_same_id() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.webhook("ops", &receiver.url());
    let mut ids = Vec::new();
    for round in 0..20 {
        let ops = bed.start("ops");
        ids.extend(put(&bed.store(), round * 3..round * 3 + 3));
        if round % 2 == 0 {
            wait_for_some(|| (receiver.ids().len() as u64 > round * 3).then_some(()), || "a request".into());
        }
        ops.crash(&bed);
    }
    let ops = bed.start("ops");
    bed.settle(&ops);
    ops.stop(&bed);
    let mut seen = receiver.ids();
    seen.dedup();
    assert_eq!(seen, ids, "in order, and what came twice came twice in a row");
}

#[test]
fn a_removed_webhook_is_forgotten_after_a_week() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.webhook("gone", &receiver.url());
    let gone = bed.start("gone");
    put(&bed.store(), 0..1);
    bed.settle(&gone);
    let webhooks = |bed: &Bed| {
        let metrics = gone.metrics.clone();
        quantum_clm::notify::Webhooks::new(&bed.notify, &bed.store(), &metrics, super::QUICK)
    };
    let week = 7 * Micros::DAY;
    webhooks(&bed).tidy(&bed.store(), now().plus(2 * week)).expect("a look");
    assert_eq!(bed.store().webhooks().expect("a look"), ["gone"], "it is configured");
    bed.notify.webhooks.clear();
    webhooks(&bed).tidy(&bed.store(), now().plus(week / 2)).expect("a look");
    assert_eq!(bed.store().webhooks().expect("a look"), ["gone"], "it may come back");
    webhooks(&bed).tidy(&bed.store(), now().plus(2 * week)).expect("a look");
    assert_eq!((bed.store().webhooks().expect("a look").len(), bed.log("gone").len()), (0, 0));
    gone.crash(&bed);
}
