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

/// An error with its causes, on one line. A cause that the error quotes already is not said twice.
pub fn in_full(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_said_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read: {0}; do this")]
        struct Quotes(#[source] std::io::Error);
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(in_full(&Quotes(missing()).into()), format!("cannot read: {}; do this", missing()));
        let wrapped = anyhow::Error::new(missing()).context("the file");
        assert_eq!(in_full(&wrapped), format!("the file: {}", missing()));
    }
}
