//! Gates: what a version has to show before it goes on, and what it has shown.
//!
//! Pure: figures, evidence and terms in, answers out. The formulas, why they are as they are, and the measured odds are
//! in `docs/GATES.md`.

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod correlation;
mod evidence;
mod judge;
mod note;
mod plain;
mod record;
mod score;
mod terms;
mod trials;

#[cfg(test)]
mod tests;

pub use self::evidence::{Evidence, Shadow, after_training, together};
pub use self::judge::{judge, judge_all};
pub use self::plain::{failure_reason, passed, plain};
pub use self::record::LOSING_DAYS;
pub use self::score::score;
pub use self::terms::Terms;
pub use self::trials::{Trial, trials};

/// Where the gates lead. The stored form is the variant's number.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Watches: the five plain gates.
    Shadow,
    /// Fit for production: the plain ones, and evidence on out-of-sample returns.
    Candidate,
    /// Decides: all of these, and evidence with the shadow test.
    Production,
}

impl Goal {
    /// As API and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Candidate => "candidate",
            Self::Production => "production",
        }
    }
}

/// One thing that is asked for. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Annual Sharpe ratio, at least.
    Sharpe,
    /// Share of trades that won, at least.
    WinRate,
    /// What was won over what was lost, at least.
    ProfitFactor,
    /// Largest drawdown, at most.
    MaxDrawdown,
    /// Trades, at least.
    Trades,
    /// Probability that the true Sharpe ratio of the out-of-sample returns is above zero, at least.
    Psr,
    /// The same, deflated by the number of trials, at least.
    Dsr,
    /// Probability that the true Sharpe ratio of out-of-sample and shadow returns together is above zero, at least.
    PsrWithShadow,
    /// Trades of the shadow test, at least.
    ShadowTrades,
    /// Days of the shadow test, at least.
    ShadowDays,
    /// The files are there and have content.
    Artifacts,
}

impl Gate {
    /// As API and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sharpe => "sharpe",
            Self::WinRate => "win_rate",
            Self::ProfitFactor => "profit_factor",
            Self::MaxDrawdown => "max_drawdown",
            Self::Trades => "trades",
            Self::Psr => "psr",
            Self::Dsr => "dsr",
            Self::PsrWithShadow => "psr_with_shadow",
            Self::ShadowTrades => "shadow_trades",
            Self::ShadowDays => "shadow_days",
            Self::Artifacts => "artifacts",
        }
    }
}

/// What a gate says. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// Open.
    Pass,
    /// Closed.
    Fail,
    /// Closed for now: nothing, or too little, to judge by.
    NotEnoughData,
}

/// One gate's answer.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct GateAnswer {
    /// Which.
    pub gate: Gate,
    /// The figure; null where there is none.
    pub value: Option<f64>,
    /// What it is held against.
    pub threshold: f64,
    /// How far it is on the good side; negative on the bad one.
    pub margin: Option<f64>,
    /// Pass, fail, or not enough data.
    pub outcome: GateOutcome,
    /// Whether the figure is merely reported.
    pub reported: bool,
    /// A sentence: why, and how much longer to wait where that is known.
    pub note: String,
}

/// The trials that a deflated Sharpe ratio is deflated by.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Trials {
    /// Evaluations of the model's versions since the last promotion.
    pub counted: u32,
    /// As many independent ones, given how alike their returns are.
    pub effective: f64,
    /// Their average correlation over all pairs, those without days in common as zero; null where no pair has any.
    pub correlation: Option<f64>,
    /// The variance of the Sharpe ratios a period of those whose returns are known and long enough, at least that of an
    /// estimate as long as the judged one without any edge.
    pub sharpe_variance: f64,
    /// The Sharpe ratio a period that the best of them would show without any edge.
    pub benchmark: f64,
}

/// What the gates on the way to a goal say of a version.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Where they lead.
    pub goal: Goal,
    /// Each of them.
    pub gates: Vec<GateAnswer>,
    /// Whether all let it pass.
    pub passed: bool,
    /// 0 to 100.
    pub score: f64,
    /// The trials behind the deflated Sharpe ratio.
    pub trials: Option<Trials>,
    /// Days more, were the returns to go on like this, until the last gate of probability opens; null where it is open,
    /// or no number of days would do.
    pub wait_days: Option<f64>,
}

impl Verdict {
    /// What is in the way, in one line.
    pub fn obstacles(&self) -> String {
        let closed = self.gates.iter().filter(|answer| answer.outcome != GateOutcome::Pass);
        closed.map(|answer| answer.note.as_str()).collect::<Vec<_>>().join("; ")
    }
}
