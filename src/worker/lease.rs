//! How long a job's programs may go on without a word of the daemon.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The share of a lease that its end comes earlier here than at the daemon: for ending processes, and for clocks that do not
/// go alike.
const MARGIN: u32 = 6;

/// Time since the boot, the time that the machine slept through included: a supervisor and its worker see the same.
pub(super) fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A lease as the worker counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// How long it is after each word of the daemon.
    length: Duration,
    /// When it is over, since the boot.
    until: Duration,
}

impl Lease {
    /// One that the daemon has not confirmed yet.
    pub(super) fn unconfirmed(seconds: u32) -> Self {
        Self { length: Duration::from_secs(seconds.into()), until: Duration::ZERO }
    }

    /// The daemon answered what was asked at `asked`: it heard of us then or later.
    pub(super) fn confirm(&mut self, asked: Duration, seconds: u32) {
        self.length = Duration::from_secs(seconds.into());
        self.extend(asked);
    }

    /// There is no daemon that could count against us: it gives every lease anew when it starts.
    pub(super) fn extend(&mut self, from: Duration) {
        self.until = self.until.max(from + self.length - self.length / MARGIN);
    }

    /// What is left of it.
    pub(super) fn left(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// How often to say that we are at it: four times in its length.
    pub(super) fn beat(&self) -> Duration {
        self.length / 4
    }

    /// Whether enough is left to begin something.
    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        self.left(now) > self.length / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_ends_here_before_it_ends_at_the_daemon() {
        let mut lease = Lease::unconfirmed(60);
        assert!(!lease.is_fresh(s(1_000)) && lease.left(s(1_000)).is_zero());
        lease.confirm(s(1_000), 60);
        assert_eq!((lease.left(s(1_000)), lease.beat()), (s(50), s(15)));
        assert!(lease.is_fresh(s(1_010)) && !lease.is_fresh(s(1_021)));
        // An answer that comes late takes nothing away.
        lease.confirm(s(990), 60);
        assert_eq!(lease.left(s(1_000)), s(50));
        lease.extend(s(1_020));
        assert_eq!(lease.left(s(1_020)), s(50));
        lease.confirm(s(1_100), 12);
        assert_eq!(lease.left(s(1_100)), s(10));
    }

    #[test]
    fn the_boot_was_some_time_ago() {
        let before = since_boot();
        assert!(before > Duration::ZERO && since_boot() >= before);
    }
}
