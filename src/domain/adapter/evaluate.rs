use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::misfit::{Misfits, below};
use crate::domain::model::EvaluationKind;
use crate::domain::performance::{
    Bounded, EvaluationInput, MetricsInput, PredictionInput, ReturnsInput, TradeInput, evaluate,
};
use crate::domain::time::Micros;

/// How a version was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// On history that it was not trained on.
    Backtest,
    /// On history, trained anew as it goes along.
    WalkForward,
}

impl From<Method> for EvaluationKind {
    fn from(method: Method) -> Self {
        match method {
            Method::Backtest => Self::Backtest,
            Method::WalkForward => Self::WalkForward,
        }
    }
}

/// What the program that evaluates answers: returns or trades, from which every figure is computed here.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateResult {
    /// How the version was tried.
    pub kind: Method,
    /// Returns of the capital, a day or a shorter period each. With `trades` beside them, these give the figures of the
    /// capital (Sharpe, drawdown, …) and the trades those of trades (win rate, profit factor, …).
    #[serde(default)]
    pub returns: Option<ReturnsInput>,
    /// The trades; at most 1,000,000. Without `returns`, the trades of a UTC day compound into its return.
    #[serde(default)]
    pub trades: Option<Bounded<TradeInput>>,
    /// Predictions and whether they came true; without them, the trades that have a confidence.
    #[serde(default)]
    pub predictions: Option<Bounded<PredictionInput>>,
    /// Figures as the program knows them. Those that can be computed from the above are computed instead; those that
    /// are merely reported open the plain gates and no others.
    #[serde(default)]
    pub metrics: Option<MetricsInput>,
    /// Days that the evaluation covers, where neither returns nor trades say it.
    #[serde(default)]
    pub period_days: Option<f64>,
    /// Whatever else people want to know.
    #[serde(default)]
    pub extra: Option<Value>,
}

impl EvaluateResult {
    pub(super) fn check(self, now: Micros) -> Result<EvaluationInput, Misfits> {
        let Self { kind, returns, trades, predictions, metrics, period_days, extra: _ } = self;
        let input = EvaluationInput { kind: kind.into(), returns, trades, predictions, metrics, period_days };
        let mut misfits = Misfits::default();
        for misfit in evaluate(&input, now).err().into_iter().flatten() {
            // None of these names has a dot in it.
            let pointer =
                misfit.field.split('.').filter(|name| !name.is_empty()).fold(String::new(), |p, n| below(&p, n));
            misfits.add(pointer, misfit.why);
        }
        misfits.none(input)
    }
}
