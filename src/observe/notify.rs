use std::time::Duration;

use sd_notify::NotifyState;

use crate::stop::Stopping;

/// How often systemd is asked for more time, and for how much: twice as much as would do, and soon over where we hang.
const ASK_AGAIN: Duration = Duration::from_secs(20);
const MORE: Duration = Duration::from_secs(60);

/// What systemd is told over `$NOTIFY_SOCKET`. Without that variable every call does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notify;

impl Notify {
    /// Start-up is over: listeners are bound and the file is open.
    pub fn ready(self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// The line that `systemctl status` shows.
    pub fn status(self, status: &str) {
        tell(&[NotifyState::Status(&one_line(status))]);
    }

    /// The drain has begun.
    pub fn stopping(self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Asks for this much more time from now on, for a start (migration, repair) or a stop that takes long.
    pub fn extend(self, by: Duration) {
        tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(by.as_micros()).unwrap_or(u32::MAX))]);
    }

    /// Does `work` and asks for more time again and again while it lasts: how long a repair takes, nobody knows before.
    pub async fn extending<T>(self, status: &str, work: impl Future<Output = T>) -> T {
        self.status(status);
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(ASK_AGAIN);
        loop {
            tokio::select! {
                done = work.as_mut() => return done,
                _ = ticks.tick() => self.extend(MORE),
            }
        }
    }

    /// Half of systemd's watchdog time, when it watches this process.
    pub fn watchdog_interval(self) -> Option<Duration> {
        sd_notify::watchdog_enabled().map(|time| time / 2).filter(|half| !half.is_zero())
    }

    /// Pets the watchdog twice in its time for as long as `alive` says so, also while stopping: only `stopping` at
    /// [`crate::stop::Stop::GiveUp`] or dropping ends it. Returns at once when systemd does not watch.
    pub async fn watchdog(self, alive: impl Fn() -> bool, stopping: Stopping) {
        let Some(interval) = self.watchdog_interval() else { return };
        let mut ticks = tokio::time::interval(interval);
        // Two late ticks in a row would tell systemd nothing that one does not.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => if alive() { tell(&[NotifyState::Watchdog]) },
                () = stopping.reached(crate::stop::Stop::GiveUp) => return,
            }
        }
    }
}

/// A line feed would begin another assignment.
fn one_line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

fn tell(states: &[NotifyState<'_>]) {
    // A systemd that cannot be told acts by itself (a start or watchdog time-out), which is the report that counts.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot tell systemd: {error}");
    }
}
