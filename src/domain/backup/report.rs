use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditAt, FeedAt};
use crate::domain::model::Digest;

/// What looking through a data file or a backup found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// What is not as it must be; nothing when all is whole. Of many faults of one kind the first are here.
    pub findings: Vec<Finding>,
    /// What is as it may be, and should be known all the same.
    pub notes: Vec<String>,
    /// The schema of the data file, where it could be read.
    pub schema: Option<u32>,
    /// Rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// Records that were decoded.
    pub records: u64,
    /// Events that were decoded.
    pub events: u64,
    /// Where the feed stood.
    pub feed: Option<FeedAt>,
    /// Where the audit log ended.
    pub audit: Option<AuditAt>,
    /// Files of versions whose content was compared with its digest.
    pub artifacts: u64,
    /// Bytes that were read and compared with a digest.
    pub bytes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether all that is wrong is in models' files, which other backups share.
    pub fn is_of_models_files_only(&self) -> bool {
        !self.is_whole() && self.findings.iter().all(|finding| finding.part == Part::Artifacts)
    }

    /// Adds what is wrong.
    pub fn add(&mut self, part: Part, what: impl Into<String>, why: impl Into<String>) {
        self.findings.push(Finding { part, what: what.into(), why: why.into() });
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Where it belongs.
    pub part: Part,
    /// The file, table or record.
    pub what: String,
    /// How it shows, in words.
    pub why: String,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The backup's own files: manifest and checksums.
    Backup,
    /// The pages of the data file.
    Structure,
    /// Records of tables.
    Records,
    /// What records say of each other.
    References,
    /// The audit log's chain.
    Audit,
    /// Files of models' versions.
    Artifacts,
}

/// A data file that was looked at: what was found, and what a backup says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// What was found.
    pub report: Report,
    /// The files that living versions use and that are kept in the data directory.
    pub artifacts: Vec<UsedArtifact>,
    /// The users' names.
    pub users: Vec<String>,
    /// The API tokens' names.
    pub tokens: Vec<String>,
    /// Versions whose files were registered in place.
    pub in_place: u64,
}

/// A file that versions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedArtifact {
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}
