use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelId, VersionName};
use crate::domain::job::{JobId, JobState};
use crate::domain::time::Micros;

/// What became of a hook. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HookState {
    /// It has not run.
    Pending,
    /// It was not run, because another version went into production after it.
    Superseded,
    /// A worker is at it.
    Running,
    /// It has run.
    Done,
    /// It came to nothing.
    Failed,
}

/// A word that is no state of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use pending, superseded, running, done or failed")]
pub struct BadHookState;

impl FromStr for HookState {
    type Err = BadHookState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pending" => Ok(Self::Pending),
            "superseded" => Ok(Self::Superseded),
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            _ => Err(BadHookState),
        }
    }
}

impl HookState {
    /// Whether something may still happen to it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }

    /// What became of one whose job stands there.
    pub fn of(job: JobState) -> Self {
        match job {
            JobState::Pending => Self::Pending,
            JobState::Leased | JobState::Running | JobState::Lost => Self::Running,
            JobState::Completed => Self::Done,
            JobState::Failed | JobState::Cancelled => Self::Failed,
        }
    }
}

/// A run of the hook that is due after a change of production: one for each promotion and each rollback.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hook {
    /// Its number, in order over all models.
    pub number: u64,
    /// The model.
    pub model: ModelId,
    /// What went into production.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
    /// When.
    pub at: Micros,
    /// What became of it.
    pub state: HookState,
    /// The job that runs it; none of what was due before there were jobs.
    pub job: Option<JobId>,
    /// When it was over.
    pub ended_at: Option<Micros>,
    /// Why it came to nothing; of a pending one, what happened the last time.
    pub why: Option<String>,
}
