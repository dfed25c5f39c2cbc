//! What brings events in.

/// The systemd journal, read through one supervised `journalctl -o export`.
pub mod journal;
