use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a version stands, as everybody is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// Being made.
    Training,
    /// Watches, with no money behind it.
    Shadow,
    /// Fit for production.
    Candidate,
    /// Decides. At most one version of a model.
    Production,
    /// Was in production.
    Retired,
    /// Did not pass, or was given up.
    Failed,
}

impl ModelStatus {
    /// Every status, in the order of a version's life.
    pub const ALL: [Self; 6] =
        [Self::Training, Self::Shadow, Self::Candidate, Self::Production, Self::Retired, Self::Failed];

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Shadow => "shadow",
            Self::Candidate => "candidate",
            Self::Production => "production",
            Self::Retired => "retired",
            Self::Failed => "failed",
        }
    }
}

/// A word that is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use training, shadow, candidate, production, retired or failed")]
pub struct BadStatus;

impl FromStr for ModelStatus {
    type Err = BadStatus;

    fn from_str(text: &str) -> Result<Self, BadStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(BadStatus)
    }
}

impl fmt::Display for ModelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a version stands, as its record has it. Which of a model's deployed versions is in production is written once,
/// in the model's record: so there is never more than one, and whoever is deployed besides is retired. The stored form is
/// the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Stage {
    /// Being made.
    Training,
    /// Watches.
    Shadow,
    /// Fit for production.
    Candidate,
    /// Is in production, or was.
    Deployed,
    /// Did not pass, or was given up.
    Failed,
}

impl Stage {
    /// What everybody is told: `current` says whether the model's record names this version.
    pub fn status(self, current: bool) -> ModelStatus {
        match self {
            Self::Training => ModelStatus::Training,
            Self::Shadow => ModelStatus::Shadow,
            Self::Candidate => ModelStatus::Candidate,
            Self::Deployed if current => ModelStatus::Production,
            Self::Deployed => ModelStatus::Retired,
            Self::Failed => ModelStatus::Failed,
        }
    }
}

/// A move that no version makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version that is {from} cannot become {to}: {why}")]
pub struct NoWay {
    /// Where it stands.
    pub from: ModelStatus,
    /// Where it should go.
    pub to: ModelStatus,
    /// Why not, and what to do instead.
    pub why: &'static str,
}

/// The one table of moves. A promotion from further down goes the whole way, one move after the other.
pub fn may_move(from: ModelStatus, to: ModelStatus) -> Result<(), NoWay> {
    use ModelStatus::{Candidate, Failed, Production, Retired, Shadow, Training};
    let why = match (from, to) {
        (Training, Shadow) | (Shadow, Candidate) | (Candidate, Production) => return Ok(()),
        (Training | Shadow | Candidate, Failed) => return Ok(()),
        (Production, Retired) | (Retired, Production) => return Ok(()),
        (Failed, _) => "a failed version stays failed; register a new one",
        (_, Training) => "training is where a version begins",
        (Training, _) => "it goes to shadow first",
        (Shadow, _) => "it becomes a candidate first",
        (Candidate, _) => "a candidate goes on to production, or fails",
        (Production, _) => "what is in production is retired by promoting another one, or by rolling back",
        (Retired, _) => "a retired version comes back by rolling back to it",
    };
    Err(NoWay { from, to, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_moves() {
        use ModelStatus::{Candidate, Failed, Production, Retired, Shadow, Training};
        let allowed = [
            (Training, Shadow),
            (Shadow, Candidate),
            (Candidate, Production),
            (Training, Failed),
            (Shadow, Failed),
            (Candidate, Failed),
            (Production, Retired),
            (Retired, Production),
        ];
        for from in ModelStatus::ALL {
            for to in ModelStatus::ALL {
                assert_eq!(may_move(from, to).is_ok(), allowed.contains(&(from, to)), "{from} to {to}");
            }
        }
    }
}
