//! What an operator sees of the running daemon.

/// The state of every component, since when, and what to do.
pub mod status;

use crate::domain::time::Micros;

/// The present. The only place outside tests that asks the system's clock for it.
pub fn now() -> Micros {
    chrono::Utc::now().into()
}
