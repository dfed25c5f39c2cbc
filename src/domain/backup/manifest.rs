use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BackupId;
use crate::domain::id::EventId;
use crate::domain::model::Digest;
use crate::domain::time::{Micros, rfc3339, rfc3339_option};

/// What a backup says of itself, in `manifest.json`. It holds no secret and is never encrypted: lists, retention and
/// remote copies need no private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this description.
    pub format: u32,
    /// The backup's name.
    pub id: BackupId,
    /// The version of the tables and records in the data file.
    pub schema: u32,
    /// The program that made it.
    pub program: ProgramId,
    /// The machine that it was made on.
    pub host: String,
    /// When the snapshot was taken: nothing later is in it.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub taken_at: Micros,
    /// When it was whole and verified.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub finished_at: Micros,
    /// Where the event feed stood.
    pub feed: FeedAt,
    /// The rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// The data file.
    pub data: StoredFile,
    /// The files of models' versions, by digest; they lie in `artifacts/` beside the backups.
    pub artifacts: Vec<KeptArtifact>,
    /// Files of versions that are not in the backup, because they could not be read where they should have been.
    pub lacking: Vec<LackingArtifact>,
    /// Versions whose files were registered in place: they are somebody else's to keep, and not in the backup.
    pub in_place: u64,
    /// The age public keys that the files are encrypted to; none when they are plain.
    pub recipients: Vec<String>,
    /// Where the audit log ended: to be noted elsewhere by whoever wants to know that its end was not cut off.
    pub audit: AuditAt,
    /// The users' names.
    pub users: Vec<String>,
    /// The API tokens' names.
    pub tokens: Vec<String>,
}

/// The version of [`Manifest`] that this program writes, and the latest that it reads.
pub const MANIFEST_FORMAT: u32 = 1;

impl Manifest {
    /// Bytes that it takes in its own directory, and those that it shares with others, as stored.
    pub fn stored_bytes(&self) -> (u64, u64) {
        // A manifest may say anything.
        (self.data.size, self.artifacts.iter().map(|artifact| artifact.stored_size).fold(0, u64::saturating_add))
    }
}

/// Which program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramId {
    /// Its version.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
}

/// Where the event feed stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedAt {
    /// The newest event.
    pub last: EventId,
    /// Events ever stored.
    pub events: u64,
    /// Events that were there; retention removed the others.
    pub kept: u64,
    /// Everything before this instant had been delivered.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub tick: Option<Micros>,
    /// The journal entry that reading goes on behind.
    pub cursor: Option<String>,
}

/// A file of a backup: as it is stored, and as it was before it was encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Bytes as it is stored.
    pub size: u64,
    /// SHA-256 as it is stored.
    pub sha256: Digest,
    /// Bytes of the plain content; the same where nothing is encrypted.
    pub plain_size: u64,
    /// SHA-256 of the plain content.
    pub plain_sha256: Digest,
}

/// A file of a model's version in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptArtifact {
    /// SHA-256 of its content, which is its name in the data file.
    pub sha256: Digest,
    /// Bytes of its content.
    pub size: u64,
    /// Where it is below `artifacts/`.
    pub stored_name: String,
    /// Bytes as it is stored.
    pub stored_size: u64,
    /// SHA-256 as it is stored.
    pub stored_sha256: Digest,
}

/// A file of a model's version that a backup could not be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LackingArtifact {
    /// SHA-256 of the content that it should have.
    pub sha256: Digest,
    /// What was wrong with it.
    pub why: String,
}

/// Where the audit log ended.
#[derive(Clone, Default, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditAt {
    /// Records.
    pub count: u64,
    /// The hash of the last one.
    pub last: Digest,
}
