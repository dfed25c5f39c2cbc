//! What the tests stand on: real servers in temporary directories, and waiting with a deadline.

/// Requests over the socket of a daemon.
pub(crate) mod ask;
/// The whole router in this process.
pub(crate) mod app;
/// A real browser, and what it finds wrong with a page.
pub(crate) mod browser;
/// A registry of the predecessor.
pub(crate) mod clm3;
/// The real binary as a daemon.
pub(crate) mod daemon;
/// Messages that other programs send.
pub(crate) mod bus_in;
/// Events of the bus.
pub(crate) mod bus;
pub(crate) mod feed;
/// Control groups that killed supervisors leave.
pub(crate) mod groups;
/// Real journal files, written by `systemd-journal-remote`.
pub(crate) mod journal;
/// Models and versions.
pub(crate) mod models;
pub(crate) mod proxy;
/// A server that takes webhooks.
pub(crate) mod receiver;
pub(crate) mod redis;
/// An S3-compatible store.
pub(crate) mod s3;
/// What a worker says.
pub(crate) mod work;

use std::time::{Duration, Instant};

/// What fails a test that waits for something: far beyond what a loaded machine takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `look` gives a value; fails with what `describe` says after the deadline.
pub(crate) fn wait_for_some<T>(mut look: impl FnMut() -> Option<T>, describe: impl FnOnce() -> String) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {}", describe());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Random numbers from a seed (SplitMix64), so that a run can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Waits until `condition` holds; fails with `what` when it does not within a minute (or what a slow machine needs).
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
