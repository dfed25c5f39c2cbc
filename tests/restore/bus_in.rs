//! What the event bus said between backup and restore is taken in again: Redis was told that it had been.

use quantum_clm::domain::job::Trigger;
use quantum_clm::store::Store;

use super::{backup, restored};
use crate::support::bus_in::{GROUP, STREAM, ask, pending};
use crate::support::daemon::Bed;
use crate::support::redis::RedisServer;
use crate::support::wait_for;

/// Who asked for trainings, in the order in which that was taken in.
fn taken(bed: &Bed) -> Vec<String> {
    let store = Store::open(bed.data_file()).expect("the data file");
    let (triggers, _) = store.triggers(None, Some(Trigger::Manual), u64::MAX, usize::MAX).expect("triggers");
    store.close();
    triggers.into_iter().rev().map(|trigger| trigger.by).collect()
}

/// Runs a daemon until it has taken in so many messages in its life.
#[track_caller]
fn take(bed: &Bed, redis: &mut RedisServer, messages: u64) {
    let daemon = bed.start();
    let name = "quantum_clm_bus_messages_total{type=\"manual.training_requested\",outcome=\"taken\"}";
    wait_for("the messages are taken in", || daemon.metric(name) == Some(messages) && pending(redis) == 0);
    daemon.stop();
}

#[test]
fn messages_since_the_backup_are_taken_in_once_more() {
    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["redis.mirror = \"on\""]);
    let backups = tempfile::tempdir().unwrap();
    redis.run::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM"]);
    ask(&mut redis, "anna");
    take(&bed, &mut redis, 1);
    let copy = backup(&bed, backups.path(), &[]);
    ask(&mut redis, "ben");
    ask(&mut redis, "carl");
    take(&bed, &mut redis, 2);
    assert_eq!(taken(&bed), ["anna", "ben", "carl"]);

    restored(&bed, &copy, &[]);
    ask(&mut redis, "dora");
    take(&bed, &mut redis, 3);
    assert_eq!(taken(&bed), ["anna", "ben", "carl", "dora"]);

    // Once, and not at every start.
    ask(&mut redis, "eve");
    take(&bed, &mut redis, 1);
    assert_eq!(taken(&bed), ["anna", "ben", "carl", "dora", "eve"]);
}
