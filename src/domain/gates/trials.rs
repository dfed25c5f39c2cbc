use super::Trials;
use super::correlation::Prepared;
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
///
/// Of N trials whose returns are alike, `r + (1 - r)·N` count as independent ones, r being their average correlation
/// (Bailey and López de Prado 2014, appendix 3; below zero counts as zero). A pair that has fewer than 30 days in common,
/// or whose returns are not known, counts as uncorrelated: what is not known does not make the gate easier.
pub fn trials(trials: &[Trial<'_>]) -> Trials {
    let counted = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    let number = f64::from(counted.max(1));
    let mean = trials.iter().map(|trial| trial.sharpe_per_period).sum::<f64>() / number;
    let squares: f64 = trials.iter().map(|trial| (trial.sharpe_per_period - mean).powi(2)).sum();
    let observed = if counted > 1 { squares / (number - 1.0) } else { 0.0 };
    let sharpe_variance = if counted > 1 { observed.max(error(trials)) } else { 0.0 };
    let correlation = average_correlation(trials);
    let alike = correlation.unwrap_or(0.0).clamp(0.0, 1.0);
    let effective = alike + (1.0 - alike) * number;
    let benchmark = expected_best(effective, sharpe_variance);
    Trials { counted, effective, correlation, sharpe_variance, benchmark }
}

/// The variance of Sharpe ratios that are estimated from records as long as these; zero where none is known.
fn error(trials: &[Trial<'_>]) -> f64 {
    let lengths =
        trials.iter().filter_map(|trial| trial.daily).map(|daily| daily.returns.len()).filter(|days| *days > 1);
    let (sum, known) = lengths.fold((0.0, 0.0), |(sum, known), days| (sum + 1.0 / (days as f64 - 1.0), known + 1.0));
    if known > 0.0 { sum / known } else { 0.0 }
}

/// The average correlation over all pairs; none where no pair has enough days in common.
fn average_correlation(trials: &[Trial<'_>]) -> Option<f64> {
    let prepared: Vec<Prepared> = trials.iter().filter_map(|trial| trial.daily).map(Prepared::new).collect();
    let mut sum = 0.0;
    let mut known = 0_u64;
    for (at, one) in prepared.iter().enumerate() {
        for correlation in prepared.iter().skip(at + 1).filter_map(|other| one.correlation(other)) {
            sum += correlation;
            known += 1;
        }
    }
    let count = trials.len() as f64;
    (known > 0).then(|| sum / (count * (count - 1.0) / 2.0))
}
