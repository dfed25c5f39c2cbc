//! Backups: copies of the data file and of the models' files that are whole, verified and can be restored.
//!
//! ```text
//! <directory>/2026-11-21T031500Z/quantum.redb     or quantum.redb.age
//!                                manifest.json    what is in it
//!                                SHA256SUMS       of the two, for sha256sum -c
//!             artifacts/ab/cdef…                  models' files by the digest of their content, shared by all backups
//!             .partial-<id>/                      being made; the next backup removes what was left
//!             .lock                               held by whoever makes or removes backups here
//! ```
//!
//! A directory with a backup's name exists only when the backup is whole: it is made under another name, every file and
//! directory is on the disk, a child process has verified it, and then it gets its name.

mod artifacts;
mod child;
mod create;
mod error;
mod files;
mod held;
/// Paths and names.
pub mod layout;
mod list;
mod lock;
mod prune;
mod receive;
pub mod remote;
mod restore;
pub mod seal;
mod sealed;
mod verify;

pub use child::answer;
pub use create::{Created, Plan, create};
pub use error::{BackupError, VerifyError};
pub(crate) use files::temporary;
pub(crate) use held::HeldDirectory;
pub use held::Swept;
pub use layout::Place;
pub use list::{Found, Manifests, list};
pub use receive::{Bring, BringError, Lies, ReceiveError, Received, receive};
pub use restore::{FETCHED, RestoreError, RestoreRequest, RestoreStep, Restored, restore, sweep_leftovers};
pub use verify::{Verifier, require_sealed, verify_backup, verify_file};
