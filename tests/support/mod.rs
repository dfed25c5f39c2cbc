//! What the tests share.

/// Real journal files, written by `systemd-journal-remote`.
pub(crate) mod journal;

use std::time::{Duration, Instant};

/// Waits until `condition` holds; fails with `what` when it does not within a minute (or what a slow machine needs).
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
