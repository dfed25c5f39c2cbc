use super::Trials;
use crate::domain::performance::{DailyReturns, expected_best};

/// One out-of-sample evaluation of a version of the model.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Its Sharpe ratio a period (day).
    pub sharpe_per_period: f64,
    /// Its returns, where they are known.
    pub daily: Option<&'a DailyReturns>,
}

/// The trials that a deflated Sharpe ratio is deflated by.
pub fn trials(trials: &[Trial<'_>]) -> Trials {
    let counted = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    let effective = f64::from(counted.max(1));
    let mean = trials.iter().map(|trial| trial.sharpe_per_period).sum::<f64>() / effective;
    let squares: f64 = trials.iter().map(|trial| (trial.sharpe_per_period - mean).powi(2)).sum();
    let sharpe_variance = if counted > 1 { squares / (effective - 1.0) } else { 0.0 };
    Trials {
        counted,
        effective,
        correlation: None,
        sharpe_variance,
        benchmark: expected_best(effective, sharpe_variance),
    }
}
