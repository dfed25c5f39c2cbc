use std::fmt;

use bincode::{Decode, Encode};

use super::{ModelId, ModelStatus, VersionName};
use crate::domain::gates::Verdict;
use crate::domain::time::Micros;

/// What happened to a model.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Step {
    /// A version was registered.
    Registered,
    /// A version was imported.
    Imported,
    /// A version was evaluated.
    Evaluated,
    /// A version went from one status to another, other than into production.
    Moved {
        /// From here.
        from: ModelStatus,
        /// To here.
        to: ModelStatus,
    },
    /// A version went into production.
    Promoted {
        /// From here.
        from: ModelStatus,
        /// What was in production until then.
        previous: Option<VersionName>,
        /// Past the gates.
        forced: bool,
    },
    /// A version that had been in production came back, or stayed.
    RolledBack {
        /// What was in production until then.
        previous: Option<VersionName>,
    },
    /// Somebody asked for a second person's approval.
    ApprovalAsked,
    /// A second person refused, or the first withdrew.
    ApprovalDenied,
    /// A version was deleted.
    Deleted,
}

impl Step {
    /// As API and pages write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Imported => "imported",
            Self::Evaluated => "evaluated",
            Self::Moved { .. } => "moved",
            Self::Promoted { .. } => "promoted",
            Self::RolledBack { .. } => "rolled_back",
            Self::ApprovalAsked => "approval_asked",
            Self::ApprovalDenied => "approval_denied",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Step {
    /// What follows on a version's name: `was promoted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "was registered",
            Self::Imported => "was imported",
            Self::Evaluated => "was evaluated",
            Self::Moved { from, to } => return write!(f, "went from {from} to {to}"),
            Self::Promoted { forced: false, .. } => "was promoted",
            Self::Promoted { forced: true, .. } => "was promoted past its gates",
            Self::RolledBack { .. } => "came back by a rollback",
            Self::ApprovalAsked => "waits for a second person",
            Self::ApprovalDenied => "was not approved",
            Self::Deleted => "was deleted",
        })
    }
}

/// One entry of a model's history. Its number is the model's revision after it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct HistoryEntry {
    /// Its number within the model: 1, 2, 3, ….
    pub revision: u64,
    /// When.
    pub at: Micros,
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// What happened.
    pub step: Step,
    /// What is in production after it.
    pub production: Option<VersionName>,
    /// Who.
    pub by: String,
    /// Who approved, where a second person had to.
    pub approved_by: Option<String>,
    /// Why, in their words.
    pub why: String,
    /// What the gates said.
    pub verdict: Option<Verdict>,
}

impl HistoryEntry {
    /// The entry in a sentence: what, who, when.
    pub fn told(&self) -> String {
        format!("{} {} ({}, {})", self.version, self.step, self.by, self.at.rfc3339())
    }
}
