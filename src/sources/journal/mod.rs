//! The systemd journal.

/// The export format.
pub mod export;
/// Which entries are ours.
pub mod matches;
