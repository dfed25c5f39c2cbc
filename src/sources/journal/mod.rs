//! The systemd journal: one supervised `journalctl -o export` child for all units, read from the stored position on.

mod doubt;
/// The export format.
pub mod export;
mod follow;
mod intake;
mod journalctl;
/// Which entries are ours.
pub mod matches;
mod place;
/// What can be known before reading: for `doctor` and for the start.
pub mod preflight;
/// The thread that reads: supervision and back-off.
pub mod reader;
mod sequence;

pub use journalctl::Failure;
pub use preflight::{Preflight, Readable, UnitSeen, check};
pub use reader::{JournalSource, Timing};
