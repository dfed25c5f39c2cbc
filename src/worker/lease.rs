//! How long a job's programs may go on without a word of the daemon. Everything here is an instant since the boot and no
//! duration: whatever takes its time on the way to a supervisor takes it from the lease.

use std::time::Duration;

pub(super) use crate::runner::since_boot;

/// The share of a lease that its end comes earlier here than at the daemon: for ending processes, and for clocks that do not
/// go alike.
const MARGIN: u32 = 6;

/// A lease as the worker counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// How long it is after each word of the daemon.
    length: Duration,
    /// When it is over, since the boot.
    until: Duration,
    /// The same as far as the daemon itself has answered; zero before it did.
    confirmed: Duration,
}

impl Lease {
    /// One that the daemon has not confirmed yet.
    pub(super) fn unconfirmed(seconds: u32) -> Self {
        Self { length: Duration::from_secs(seconds.into()), until: Duration::ZERO, confirmed: Duration::ZERO }
    }

    /// A supervisor of this very lease was told, by an earlier worker, that it may go on until then.
    pub(super) fn take_over(&mut self, until: Duration) {
        self.until = self.until.max(until);
    }

    /// The daemon answered what was asked at `asked`: it heard of us then or later.
    pub(super) fn confirm(&mut self, asked: Duration, seconds: u32) {
        self.length = Duration::from_secs(seconds.into());
        self.confirmed = self.confirmed.max(self.end(asked));
        self.until = self.until.max(self.confirmed);
    }

    /// At `from` there was no daemon that could count against us: it gives every lease anew when it starts. But a lease that
    /// was over by then, or never was ours, may be somebody else's by now: nothing makes it ours again.
    pub(super) fn extend(&mut self, from: Duration) {
        if from <= self.until {
            self.until = self.until.max(self.end(from));
        }
    }

    fn end(&self, from: Duration) -> Duration {
        from + self.length - self.length / MARGIN
    }

    /// When it is over, unless it is.
    pub(super) fn until(&self, now: Duration) -> Option<Duration> {
        (now < self.until).then_some(self.until)
    }

    /// How often to say that we are at it: four times in its length.
    pub(super) fn beat(&self) -> Duration {
        self.length / 4
    }

    /// Until when something may go on that is begun now, if that is long enough to begin it. That no daemon is there to say
    /// otherwise is enough to go on, and not to begin.
    pub(super) fn fresh(&self, now: Duration) -> Option<Duration> {
        (self.confirmed.saturating_sub(now) > self.length / 2).then_some(self.until)
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
        assert_eq!((lease.fresh(s(1_000)), lease.until(s(1_000))), (None, None));
        lease.confirm(s(1_000), 60);
        assert_eq!((lease.until(s(1_000)), lease.beat()), (Some(s(1_050)), s(15)));
        assert_eq!((lease.fresh(s(1_010)), lease.fresh(s(1_021))), (Some(s(1_050)), None));
        assert_eq!((lease.until(s(1_049)), lease.until(s(1_050))), (Some(s(1_050)), None));
        // An answer that comes late takes nothing away.
        lease.confirm(s(990), 60);
        assert_eq!(lease.until(s(1_000)), Some(s(1_050)));
        lease.confirm(s(1_100), 12);
        assert_eq!(lease.until(s(1_100)), Some(s(1_110)));
    }

    #[test]
    fn without_a_daemon_it_goes_on_and_nothing_begins() {
        let mut lease = Lease::unconfirmed(60);
        lease.confirm(s(1_000), 60);
        lease.extend(s(1_040));
        assert_eq!((lease.until(s(1_060)), lease.fresh(s(1_041))), (Some(s(1_090)), None));
        lease.extend(s(1_090));
        assert_eq!(lease.until(s(1_100)), Some(s(1_140)));
    }

    #[test]
    fn what_is_over_or_was_never_ours_stays_so() {
        let mut lease = Lease::unconfirmed(60);
        lease.extend(s(1_000));
        assert_eq!((lease.until(s(1_000)), lease.fresh(s(1_000))), (None, None), "it was never confirmed");
        lease.confirm(s(1_000), 60);
        lease.extend(s(1_051));
        assert_eq!((lease.until(s(1_051)), lease.fresh(s(1_051))), (None, None), "it was over");
    }

    #[test]
    fn one_that_is_taken_over_goes_on_where_it_was() {
        let mut lease = Lease::unconfirmed(60);
        lease.take_over(s(1_020));
        assert_eq!((lease.until(s(1_000)), lease.fresh(s(1_000))), (Some(s(1_020)), None));
        lease.extend(s(1_010));
        assert_eq!(lease.until(s(1_000)), Some(s(1_060)));
        let mut lease = Lease::unconfirmed(60);
        lease.take_over(s(1_020));
        lease.extend(s(1_021));
        assert_eq!(lease.until(s(1_021)), None);
    }
}
