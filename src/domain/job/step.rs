use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ten steps of a training job (SPEC §4.7). The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobStep {
    /// 1: a worker has begun.
    Begin,
    /// 2: the data is fetched, by a program.
    Data,
    /// 3: the model is trained, by a program.
    Train,
    /// 4: the version is registered and its files are taken in.
    Register,
    /// 5: `clm.model_trained` is told.
    TellTrained,
    /// 6: the version is tried, by a program.
    Evaluate,
    /// 7: the evaluation is kept.
    SaveEvaluation,
    /// 8: `clm.model_evaluated` is told.
    TellEvaluated,
    /// 9: the gates decide.
    ApplyGates,
    /// 10: done.
    Complete,
}

impl JobStep {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Begin,
        Self::Data,
        Self::Train,
        Self::Register,
        Self::TellTrained,
        Self::Evaluate,
        Self::SaveEvaluation,
        Self::TellEvaluated,
        Self::ApplyGates,
        Self::Complete,
    ];

    /// 1 to 10.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Data => "data",
            Self::Train => "train",
            Self::Register => "register",
            Self::TellTrained => "tell_trained",
            Self::Evaluate => "evaluate",
            Self::SaveEvaluation => "save_evaluation",
            Self::TellEvaluated => "tell_evaluated",
            Self::ApplyGates => "apply_gates",
            Self::Complete => "complete",
        }
    }
}

/// What of a job a worker runs: one of the operator's programs. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Fetches the data.
    Data,
    /// Trains.
    Train,
    /// Evaluates.
    Evaluate,
    /// The hook after a change of production.
    Hook,
}

/// A word that is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use data, train, evaluate or hook")]
pub struct BadProgram;

impl FromStr for Program {
    type Err = BadProgram;

    fn from_str(text: &str) -> Result<Self, BadProgram> {
        Self::ALL.into_iter().find(|program| program.as_str() == text).ok_or(BadProgram)
    }
}

impl Program {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Data, Self::Train, Self::Evaluate, Self::Hook];

    /// Those that a training takes, in their order; one worker has to have all of them.
    pub const OF_A_TRAINING: [Self; 3] = [Self::Data, Self::Train, Self::Evaluate];

    /// Which step of a training job it is; none for a hook, whose job has no steps but this.
    pub fn step(self) -> Option<JobStep> {
        match self {
            Self::Data => Some(JobStep::Data),
            Self::Train => Some(JobStep::Train),
            Self::Evaluate => Some(JobStep::Evaluate),
            Self::Hook => None,
        }
    }

    /// As API, pages and directories write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Hook => "hook",
        }
    }
}
