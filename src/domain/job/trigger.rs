use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a model is to be trained. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its predictions or its data moved.
    DriftDetected,
    /// Its Sharpe ratio fell.
    PerformanceDegraded,
    /// Its time came.
    Periodic,
    /// Somebody asked.
    Manual,
    /// The market's regime changed.
    RegimeChange,
    /// Enough new trades.
    DataThreshold,
    /// A candidate of the strategies' evolution.
    StrategyEvolution,
}

/// A word that is no trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "use drift_detected, performance_degraded, periodic, manual, regime_change, data_threshold or strategy_evolution"
)]
pub struct BadTrigger;

impl Trigger {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::DriftDetected,
        Self::PerformanceDegraded,
        Self::Periodic,
        Self::Manual,
        Self::RegimeChange,
        Self::DataThreshold,
        Self::StrategyEvolution,
    ];

    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DriftDetected => "drift_detected",
            Self::PerformanceDegraded => "performance_degraded",
            Self::Periodic => "periodic",
            Self::Manual => "manual",
            Self::RegimeChange => "regime_change",
            Self::DataThreshold => "data_threshold",
            Self::StrategyEvolution => "strategy_evolution",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Trigger {
    type Err = BadTrigger;

    fn from_str(text: &str) -> Result<Self, BadTrigger> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == text).ok_or(BadTrigger)
    }
}
