//! What an operator sees of the running daemon.

/// Where log lines go, and how they look there.
pub mod logging;
/// What Prometheus scrapes.
pub mod metrics;
/// What systemd is told: ready, alive, stopping.
pub mod notify;
/// A panic becomes a value and one log line.
pub mod panics;
/// SIGTERM and SIGINT become a [`crate::stop::Stop`].
pub mod signals;
/// The state of every component, since when, and what to do.
pub mod status;

use crate::domain::time::Micros;

/// The present. The only place outside tests that asks the system's clock for it.
pub fn now() -> Micros {
    chrono::Utc::now().into()
}
