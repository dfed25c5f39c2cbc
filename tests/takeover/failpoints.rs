//! Death at the named places of an import: the next start goes on, and nothing is lost or there twice.

use std::os::unix::process::ExitStatusExt as _;

use super::World;

const SIGABRT: i32 = 6;

#[track_caller]
fn dies_at(place: &str, passed: u32) {
    let mut world = World::new();
    world.write(10_100);
    world.publish((0..10_000).filter(|number| number % 4 != 3 || *number < 9_000));
    let history = world.stream().len() as u64;
    let mut daemon = world.bed.spawn(&format!("{place}={passed}*off->return"));
    let status = daemon.wait_end();
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");
    let mut daemon = world.bed.start();
    daemon.wait_events(10_100);
    crate::support::wait_for("all is mirrored", || world.stream().len() as u64 == 10_100);
    daemon.stop();
    world.assert_whole(history);
}

#[test]
fn after_a_batch_was_read() {
    dies_at("history.read", 1);
}

#[test]
fn within_the_transaction() {
    dies_at("history.judged", 1);
}

#[test]
fn before_its_commit() {
    dies_at("store.commit.before", 2);
}

#[test]
fn after_its_commit() {
    dies_at("history.stored", 1);
}

/// While the journal passes over what was taken in already.
#[test]
fn after_a_delivery_of_the_journal() {
    dies_at("reader.delivered", 0);
}

#[test]
fn after_the_first_commit_of_the_journal() {
    dies_at("pipeline.committed", 0);
}
