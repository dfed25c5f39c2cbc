//! Death at the named places: whatever was half done is done once after the next start.

use std::os::unix::process::ExitStatusExt;

use super::{Numbered, assert_mirrored, assert_stored, intent_messages, this_hour};
use crate::support::daemon::{Bed, UNITS};
use crate::support::redis::RedisServer;
use crate::support::wait_for;

const SIGABRT: i32 = 6;

/// The daemon dies at `place` after it has passed it a few times: it has a past then, and something under way.
#[track_caller]
fn dies_at(place: &str, passed: u32) {
    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    let mut daemon = bed.spawn(&format!("{place}={passed}*off->return"));
    // Enough errors over all units for intents of both severities, in pieces, so that every place is passed often.
    while !daemon.has_ended() {
        assert!(journal.next < 100_000, "the daemon does not come to {place} so often");
        journal.append(100);
        let written = journal.next;
        wait_for("the daemon stores or dies", || daemon.has_ended() || daemon.events() >= Some(written));
    }
    let status = daemon.wait_end();
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");
    // Whichever place it was: now there are intents.
    journal.append(4_000);
    journal.writer.sync();

    let mut daemon = bed.start();
    daemon.wait_events(journal.next);
    daemon.stop();
    assert_stored(&bed, &journal);
    assert_mirrored(&bed, &mut redis, &journal);
    let mut expected = Vec::new();
    for severity in ["high", "medium"] {
        expected.extend(UNITS.map(|unit| (unit.to_owned(), severity.to_owned())));
    }
    expected.sort();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut messages: Vec<_> = intent_messages(&mut redis)
        .iter()
        .map(|message| (text(&message["unit"]), text(&message["severity"])))
        .collect();
    messages.sort();
    assert_eq!(messages, expected, "one message an intent when it opens and one when its severity rises");
}

#[test]
fn before_the_commit() {
    dies_at("store.commit.before", 2);
}

#[test]
fn after_the_commit() {
    dies_at("store.commit.after", 2);
}

#[test]
fn between_the_rules_and_the_commit() {
    dies_at("pipeline.folded", 2);
}

#[test]
fn after_a_delivery() {
    dies_at("reader.delivered", 2);
}

#[test]
fn after_events_reached_redis() {
    dies_at("mirror.events.sent", 2);
}

#[test]
fn after_intents_reached_redis() {
    dies_at("mirror.intents.sent", 1);
}

#[test]
fn after_the_mirror_saved_its_position() {
    dies_at("mirror.saved", 2);
}
