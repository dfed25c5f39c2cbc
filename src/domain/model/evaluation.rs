use std::fmt;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelId, VersionName};
use crate::domain::time::Micros;

/// An evaluation's number, in order of recording over all models.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct EvaluationId(pub u64);

impl fmt::Display for EvaluationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a version was tried. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationKind {
    /// On history that it was not trained on.
    Backtest,
    /// Beside the trading, with no money behind it.
    ShadowTest,
    /// On history, trained anew as it goes along.
    WalkForward,
    /// On its own training data; imported only, and no evidence of anything.
    TrainingMetrics,
}

impl EvaluationKind {
    /// As API and pages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::ShadowTest => "shadow_test",
            Self::WalkForward => "walk_forward",
            Self::TrainingMetrics => "training_metrics",
        }
    }

    /// Whether its returns are out of sample, before any shadow test.
    pub fn is_out_of_sample(self) -> bool {
        matches!(self, Self::Backtest | Self::WalkForward)
    }
}

/// Where a figure comes from. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FigureOrigin {
    /// Computed here, from returns or trades.
    Computed,
    /// As somebody reported it.
    Reported,
}

/// A figure and where it comes from. Always finite.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// How much.
    pub value: f64,
    /// Whose word it is.
    pub origin: FigureOrigin,
}

/// The figures that programs know an evaluation by, each where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct PlainFigures {
    /// How many trades.
    pub total_trades: Option<Figure>,
    /// The share of trades (without trades: of periods that moved) that won, 0 to 1.
    pub win_rate: Option<Figure>,
    /// What was won, over what was lost.
    pub profit_factor: Option<Figure>,
    /// Annual.
    pub sharpe_ratio: Option<Figure>,
    /// Annual.
    pub sortino_ratio: Option<Figure>,
    /// Annual return over the largest drawdown.
    pub calmar_ratio: Option<Figure>,
    /// The largest loss from a peak, as a share of it, 0 to 1.
    pub max_drawdown: Option<Figure>,
    /// Of the trades that won, their mean return.
    pub avg_win: Option<Figure>,
    /// Of the trades that lost, their mean return; negative.
    pub avg_loss: Option<Figure>,
    /// The return over the whole time, as a share of the capital.
    pub total_pnl: Option<Figure>,
    /// Total return over the largest drawdown.
    pub risk_adjusted_return: Option<Figure>,
}

/// Everything that is known of an evaluation in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Encode, Decode)]
pub struct Figures {
    /// What programs know it by.
    pub plain: PlainFigures,
    /// Periods (days) of the returns behind it; none without returns.
    pub periods: Option<u64>,
    /// Sharpe ratio a period.
    pub sharpe_per_period: Option<f64>,
    /// Its standard error, from skewness and kurtosis.
    pub sharpe_error: Option<f64>,
    /// The annual Sharpe ratio corrected for autocorrelation (Lo 2002).
    pub sharpe_lo: Option<f64>,
    /// Skewness of the returns.
    pub skewness: Option<f64>,
    /// Kurtosis of the returns; 3 where they are normal.
    pub kurtosis: Option<f64>,
    /// The probability that the true Sharpe ratio is above zero.
    pub psr: Option<f64>,
    /// The periods that PSR would need to reach 0.95, were the returns to go on like this.
    pub min_track_record: Option<f64>,
}

/// One trial of a version, as it is stored.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Evaluation {
    /// Its number.
    pub id: EvaluationId,
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// How it was tried.
    pub kind: EvaluationKind,
    /// When it was recorded.
    pub at: Micros,
    /// Who sent it.
    pub by: String,
    /// Days that it covers.
    pub period_days: f64,
    /// Its figures.
    pub figures: Figures,
    /// Whether the five plain gates let it pass.
    pub passed: bool,
    /// 0 to 100.
    pub score: f64,
    /// What it failed on, in the predecessor's words: `Sharpe 0.600 < 1.0; WinRate 0.480 < 0.52`.
    pub failure_reason: String,
    /// Whether returns are stored beside it (`EVALUATION_SERIES`).
    pub has_returns: bool,
}
