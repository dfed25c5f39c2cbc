//! What brings events in.

/// The built-in feed for newcomers.
pub mod demo;
/// The systemd journal, read through one supervised `journalctl -o export`.
pub mod journal;
