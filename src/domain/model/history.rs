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
