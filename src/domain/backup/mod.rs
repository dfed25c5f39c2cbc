//! Backups: their names, what they say of themselves, which of them are kept, and what looking at one found.

mod attempt;
mod difference;
mod id;
mod manifest;
mod piece;
mod point;
mod report;
mod retention;
mod watch;

pub use attempt::{Attempt, AttemptKind, AttemptState, CopyState, RemoteCopy, Stage};
pub use difference::{
    Count, Difference, HeldJob, HeldToken, HeldUser, Holdings, Instants, IntentChanges, JobChanges, ProductionChange,
    RoleChange, TokenChanges, TokenName, UserChanges, difference,
};
pub use id::{BackupId, BadBackupId};
pub use manifest::{AuditAt, FeedAt, KeptArtifact, LackingArtifact, MANIFEST_FORMAT, Manifest, ProgramId, StoredFile};
pub use piece::Piece;
pub use point::gives_a_secret;
pub use report::{Finding, Looked, Part, Report, UsedArtifact};
pub use retention::{Held, Keep, lacked, to_remove};
pub use watch::{Staleness, Trouble};

/// What keeps the data file to whoever restores. The socket as well: the next connection would start the service again.
pub const STOP: &str = "systemctl stop quantum-clm.socket quantum-clm.service";

/// What starts both again.
pub const START: &str = "systemctl start quantum-clm.socket quantum-clm.service";
