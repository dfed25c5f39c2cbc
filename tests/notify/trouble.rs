//! Receivers that hang, are away, want TLS, or never come back.

use std::time::Duration;

use quantum_clm::domain::time::Micros;
use quantum_clm::domain::webhook::{Occasion, Outcome, Pauses, Progress};
use quantum_clm::observe::now;
use quantum_clm::observe::status::State;
use quantum_clm::store::{FollowerPosition, StoreError, webhook_follower};

use super::{Bed, QUICK, Running, SECRET};
use crate::support::bus::{put, put_at};
use crate::support::receiver::{Certificates, Receiver, Reply, write_secret};
use crate::support::wait_for_some;

/// Waits for a line of the log that says `why`.
#[track_caller]
fn wait_why(bed: &Bed, running: &Running, why: &str) {
    wait_for_some(
        || bed.log("ops").iter().any(|line| line.why.contains(why)).then_some(()),
        || format!("{why:?}: {:#?} {:#?}", bed.log("ops"), running.status()),
    );
}

#[test]
fn one_that_hangs_is_left_and_asked_again() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.timing.answer = Duration::from_millis(100);
    bed.webhook("ops", &receiver.url());
    receiver.next(&[Reply::Hang, Reply::Hang]);
    let ops = bed.start("ops");
    put(&bed.store(), 0..2);
    wait_why(&bed, &ops, "no answer within");
    // Only now: a loaded machine must not make an honest answer late.
    bed.timing = QUICK;
    ops.crash(&bed);
    let ops = bed.start("ops");
    bed.settle(&ops);
    ops.stop(&bed);
}

#[test]
fn a_restart_in_the_middle_of_a_pause_goes_on_where_it_was() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.timing.pauses = Pauses { first: 3_600 * Micros::SECOND, most: 3_600 * Micros::SECOND };
    bed.webhook("ops", &receiver.url());
    receiver.next(&[Reply::Say(503, "", "")]);
    bed.start("ops").stop(&bed);
    // Both wait before the first try: what was counted for them must not keep the failure off the board.
    let ids = put(&bed.store(), 0..2);
    let ops = bed.start("ops");
    wait_why(&bed, &ops, "it answers 503");
    let standing = ops.webhook.standing().expect("a look");
    assert_eq!((standing.progress.attempts, standing.waiting), (1, 2));
    let said = wait_for_some(
        || Some(ops.status()).filter(|status| status.state == State::Warn),
        || format!("a warning: {:#?}", ops.status()),
    );
    assert!(said.summary.contains("it answers 503; 2 wait, next try at 20"), "{said:?}");
    assert!(said.remedy.is_some_and(|remedy| remedy.contains("/webhooks/ops")));
    ops.crash(&bed);

    let ops = bed.start("ops");
    wait_for_some(|| (ops.status().state == State::Warn).then_some(()), || format!("{:#?}", ops.status()));
    assert_eq!(ops.webhook.standing().expect("a look"), standing, "the next try is when it was to be");
    assert_eq!(receiver.ids().len(), 1);
    // Whoever has repaired the receiver tests it, and what waits follows at once.
    let (_, test) = bed.runtime.block_on(ops.webhook.test("anna")).expect("a test");
    assert_eq!((test.outcome, test.event_type.as_str()), (Outcome::Delivered, "clm.test"));
    bed.settle(&ops);
    let requests = receiver.received();
    assert_eq!(receiver.ids(), [&ids[0], &test.id, &ids[0], &ids[1]].map(Clone::clone));
    assert_eq!(requests[1].json()["data"]["requested_by"], "anna");
    requests.iter().for_each(|request| request.assert_signed(SECRET));
    let tries: Vec<_> = bed.log("ops").iter().map(|line| (line.occasion, line.attempt)).collect();
    assert_eq!(tries, [(Occasion::Queue, 1), (Occasion::Test, 1), (Occasion::Queue, 2), (Occasion::Queue, 1)]);
    wait_for_some(|| (ops.status().state == State::Ok).then_some(()), || format!("{:#?}", ops.status()));
    ops.stop(&bed);
}

#[test]
fn what_is_too_old_is_given_up_and_what_is_younger_is_not() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.webhook("ops", &receiver.url()).give_up_after = Duration::from_secs(86_400);
    // It has failed for a week already.
    let week_ago = now().minus(7 * Micros::DAY);
    let progress = Progress { failures: 9, failing_since: Some(week_ago), ..Progress::default() };
    let note = serde_json::to_string(&progress).expect("JSON");
    let row = FollowerPosition { note, ..FollowerPosition::default() };
    bed.store().write::<_, StoreError>(|txn| txn.put_follower(&webhook_follower("ops"), &row)).expect("a commit");
    let old = put_at(&bed.store(), 0..3, now().minus(2 * Micros::DAY));
    let young = put(&bed.store(), 3..5);
    receiver.next(&[Reply::Say(500, "", ""), Reply::Say(500, "", "")]);
    let ops = bed.start("ops");
    bed.settle(&ops);
    assert_eq!(receiver.ids(), [&old[0], &young[0], &young[0], &young[1]].map(Clone::clone));
    let log = bed.log("ops");
    let given_up: Vec<_> = log.iter().filter(|line| line.outcome == Outcome::GivenUp).map(|line| &line.id).collect();
    assert_eq!(given_up, old.iter().collect::<Vec<_>>());
    assert_eq!(ops.webhook.standing().expect("a look").progress.given_up, 3);
    assert_eq!(log.iter().map(|line| line.attempt).collect::<Vec<_>>(), [1, 0, 0, 1, 2, 1]);
    // The event is kept, so it can be sent once more, under its id.
    let message = bed.store().outbox_message(log[1].seq).expect("a look").expect("it is kept");
    let event = serde_json::from_str(&message.payload).expect("an event");
    let (_, replayed) = bed.runtime.block_on(ops.webhook.replay(&message, event)).expect("a replay");
    assert_eq!((replayed.id.as_str(), replayed.occasion), (old[1].as_str(), Occasion::Replay));
    ops.stop(&bed);
}

#[test]
fn failing_for_long_is_a_failure() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    bed.timing.failed_after = Duration::ZERO;
    bed.webhook("ops", &receiver.url());
    receiver.otherwise(Some(Reply::Say(401, "retry-after: 1\r\n", "")));
    let ops = bed.start("ops");
    put(&bed.store(), 0..1);
    let said = wait_for_some(
        || Some(ops.status()).filter(|status| status.state == State::Failed),
        || format!("a failure: {:#?}", ops.status()),
    );
    assert!(said.summary.contains("it answers 401 (is the secret the receiver's?)"), "{said:?}");
    assert!(!said.summary.contains("k3y-in-the-query"), "{said:?}");
    ops.crash(&bed);
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let (mut bed, certificates) = (Bed::new(), Certificates::new());
    let receiver = Receiver::start_tls(&certificates);
    let url = format!("https://localhost:{}/hook", receiver.port);
    bed.webhook("ops", &url);
    let ops = bed.start("ops");
    let ids = put(&bed.store(), 0..2);
    wait_why(&bed, &ops, "TLS: ");
    assert!(bed.log("ops")[0].why.contains("UnknownIssuer"), "{:?}", bed.log("ops")[0]);
    ops.stop(&bed);
    assert_eq!(receiver.ids().len(), 0, "nothing is said to a stranger");

    bed.webhook("ops", &url).ca_file = Some(certificates.file("none.pem"));
    let ops = bed.start("ops");
    wait_why(&bed, &ops, "none.pem");
    ops.stop(&bed);

    bed.webhook("ops", &url).ca_file = Some(certificates.file("ca.pem"));
    let ops = bed.start("ops");
    bed.settle(&ops);
    assert_eq!(receiver.ids(), ids);
    receiver.received()[0].assert_signed(SECRET);
    ops.stop(&bed);
    // Its name is looked at, too.
    bed.webhook("ops", &url).url = format!("https://127.0.0.1:{}/hook", receiver.port).parse().expect("a URL");
    let ops = bed.start("ops");
    put(&bed.store(), 2..3);
    wait_why(&bed, &ops, "not valid for name");
    ops.crash(&bed);
}

#[test]
fn a_secret_is_read_anew_and_two_sign_side_by_side() {
    let (mut bed, receiver) = (Bed::new(), Receiver::start());
    let file = bed.webhook("ops", &receiver.url()).secret_file.clone();
    write_secret(&file, "short\n");
    let ops = bed.start("ops");
    put(&bed.store(), 0..1);
    wait_why(&bed, &ops, "the secret is shorter than 24 bytes");
    let new = "another secret that is long enough";
    write_secret(&file, &format!("{new}\n{SECRET}\n"));
    bed.settle(&ops);
    let request = receiver.received().pop().expect("a request");
    request.assert_signed(SECRET);
    request.assert_signed(new);
    ops.stop(&bed);
}
