//! SIGTERM, once and twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Numbered, assert_mirrored, assert_stored, this_hour};
use crate::support::daemon::Bed;
use crate::support::redis::RedisServer;
use crate::support::wait_for;

/// Whether redb finds the file as a clean close left it.
fn is_clean(bed: &Bed) -> bool {
    let repaired = Arc::new(AtomicBool::new(false));
    let seen = repaired.clone();
    let mut builder = redb::Builder::new();
    builder.set_repair_callback(move |session| {
        seen.store(true, Ordering::SeqCst);
        session.abort();
    });
    let opened = builder.open(bed.data_file());
    assert!(opened.is_ok() || repaired.load(Ordering::SeqCst), "{:?}", opened.err());
    !repaired.load(Ordering::SeqCst)
}

#[test]
fn what_was_delivered_is_committed_mirrored_and_closed() {
    let mut redis = RedisServer::started(&[]);
    // Nothing is committed for its age here: what the drain does not commit is missing.
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"10s\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    let daemon = bed.start();
    let deliveries = || daemon.metric("quantum_clm_deliveries_total").unwrap_or(0);
    journal.append(500);
    journal.writer.sync();
    // A delivery a second comes without events. The third one after the lines surely is behind them.
    let before = deliveries();
    wait_for("the lines are delivered", || deliveries() >= before + 3);
    daemon.stop();
    assert!(!bed.socket().exists(), "the socket is left behind");
    assert!(is_clean(&bed), "the data file needs a repair after an orderly stop");
    assert_stored(&bed, &journal);
    assert_mirrored(&bed, &mut redis, &journal);
}

#[test]
fn a_killed_daemon_leaves_a_file_that_is_repaired() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    journal.append(500);
    let mut daemon = bed.start();
    daemon.wait_events(500);
    daemon.kill();
    assert!(!is_clean(&bed), "so the check for a clean file sees nothing");
    assert_stored(&bed, &journal);
}

#[test]
fn in_the_middle_of_catching_up() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    journal.append(40_000);
    journal.writer.sync();
    for lives in 1.. {
        let mut daemon = bed.start();
        let before = daemon.events().unwrap();
        daemon.wait_events((before + 1).min(journal.next));
        daemon.stop();
        assert!(!bed.socket().exists() && is_clean(&bed));
        if super::stored(&bed).len() as u64 >= journal.next {
            break;
        }
        assert!(lives < 1_000, "it does not get on");
    }
    assert_stored(&bed, &journal);
}

/// The writer hangs in a commit, as on a disk that does not answer.
#[cfg(feature = "failpoints")]
#[test]
fn a_second_one_gives_up_a_drain_that_is_held_up() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let mut journal = Numbered::new(&bed, this_hour());
    let mut daemon = bed.spawn("pipeline.folded=1*off->pause");
    daemon.wait("an answer", |_| true);
    journal.append(10);
    wait_for("the first commit", || daemon.metric("quantum_clm_commits_total") >= Some(1));
    let deliveries = || daemon.metric("quantum_clm_deliveries_total").unwrap_or(0);
    let before = deliveries();
    journal.append(10);
    // The channel takes so many while the writer hangs; the lines are among them.
    wait_for("the lines are delivered", || deliveries() >= before + 3);
    daemon.terminate();
    wait_for("the drain", || daemon.log().contains("SIGTERM: finishing what is begun"));
    daemon.terminate();
    let status = daemon.wait_end();
    assert!(daemon.log().contains("giving up the drain"), "{}", daemon.log());
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(!bed.socket().exists(), "the socket is left behind");

    let mut daemon = bed.start();
    daemon.wait_events(journal.next);
    daemon.stop();
    assert_stored(&bed, &journal);
}
