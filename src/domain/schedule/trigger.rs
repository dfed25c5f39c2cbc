use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::target::Target;
use crate::domain::job::{JobId, Trigger};
use crate::domain::model::ModelId;
use crate::domain::time::Micros;

/// Something speaks for a training.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrigger {
    /// Of which models.
    pub target: Target,
    /// Why.
    pub reason: Trigger,
    /// The figure behind it, which has to pass the configured threshold: the drift score, the Sharpe ratio.
    pub figure: Option<f64>,
    /// What was seen, in words and figures.
    pub evidence: String,
    /// Who or what says so: `market.regime_changed`, `intent 17`, a user's name.
    pub by: String,
    /// When it was said.
    pub at: Micros,
}

/// What became of a trigger. The stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Not yet.
    Waiting {
        /// Because.
        why: String,
        /// Until then, or longer; null where it is for something without a time.
        #[serde(with = "crate::domain::time::rfc3339_option")]
        #[schemars(with = "Option<Micros>")]
        until: Option<Micros>,
    },
    /// A job was created for it.
    Started {
        /// Which.
        job_id: JobId,
    },
    /// A job of the model was open already.
    Joined {
        /// Which.
        job_id: JobId,
    },
    /// It waits as part of another trigger of the same reason.
    Merged {
        /// The number of that one.
        trigger: u64,
    },
    /// Nothing follows from it.
    Dropped {
        /// Because.
        why: String,
    },
}

impl Decision {
    /// As API and pages write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Started { .. } => "started",
            Self::Joined { .. } => "joined",
            Self::Merged { .. } => "merged",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// The job, where there is one.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Started { job_id } | Self::Joined { job_id } => Some(*job_id),
            Self::Waiting { .. } | Self::Merged { .. } | Self::Dropped { .. } => None,
        }
    }

    /// In a sentence without its full stop.
    pub fn words(&self) -> String {
        match self {
            Self::Waiting { why, .. } => format!("not yet, because {why}"),
            Self::Started { job_id } => format!("started {job_id}"),
            Self::Joined { job_id } => format!("{job_id} of the model was open already, and serves it"),
            Self::Merged { trigger } => format!("waits together with trigger {trigger}"),
            Self::Dropped { why } => format!("nothing follows, because {why}"),
        }
    }
}

/// What set a training off, or would have.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TriggerRecord {
    /// Its number, in the order of recording; never given twice.
    pub number: u64,
    /// When it came.
    pub at: Micros,
    /// Which model; none where nobody knows whom it means.
    pub model: Option<ModelId>,
    /// Why.
    pub reason: Trigger,
    /// Who or what said so.
    pub by: String,
    /// What was seen.
    pub evidence: String,
    /// When it was last decided.
    pub decided_at: Micros,
    /// What became of it.
    pub decision: Decision,
}

impl TriggerRecord {
    /// Whether it is still to be decided.
    pub fn is_waiting(&self) -> bool {
        matches!(self.decision, Decision::Waiting { .. })
    }
}
