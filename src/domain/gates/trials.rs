use super::Trials;
use super::correlation::Prepared;
use crate::domain::performance::{DailyReturns, expected_best};

/// The largest Sharpe ratio a day that is taken at its word: 190 a year. Returns that hardly vary show any number.
const LARGEST: f64 = 10.0;

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
///
/// How much their Sharpe ratios vary is taken from those alone whose returns are known over `min_periods` days or more: a
/// figure that was merely reported, or of two days, is no estimate, and would close the gate for everybody. It is at least
/// what the estimate from the `days` of the judged record varies by without any edge.
pub fn trials(trials: &[Trial<'_>], days: usize, min_periods: u64) -> Trials {
    let counted = u32::try_from(trials.len()).unwrap_or(u32::MAX);
    let number = f64::from(counted.max(1));
    let sharpe_variance = if counted > 1 { observed(trials, min_periods).max(error(days)) } else { 0.0 };
    let correlation = average_correlation(trials);
    let alike = correlation.unwrap_or(0.0).clamp(0.0, 1.0);
    let effective = alike + (1.0 - alike) * number;
    let benchmark = expected_best(effective, sharpe_variance);
    Trials { counted, effective, correlation, sharpe_variance, benchmark }
}

/// The variance of the Sharpe ratios that are estimates; zero of fewer than two.
fn observed(trials: &[Trial<'_>], min_periods: u64) -> f64 {
    let is_long = |trial: &&Trial<'_>| trial.daily.is_some_and(|daily| daily.returns.len() as u64 >= min_periods);
    let known = trials.iter().filter(is_long).map(|trial| trial.sharpe_per_period).filter(|sharpe| sharpe.is_finite());
    let known: Vec<f64> = known.map(|sharpe| sharpe.clamp(-LARGEST, LARGEST)).collect();
    if known.len() < 2 {
        return 0.0;
    }
    let number = known.len() as f64;
    let mean = known.iter().sum::<f64>() / number;
    known.iter().map(|sharpe| (sharpe - mean).powi(2)).sum::<f64>() / (number - 1.0)
}

/// The variance of a Sharpe ratio that is estimated from so many days without any edge.
fn error(days: usize) -> f64 {
    if days > 1 { 1.0 / (days as f64 - 1.0) } else { 0.0 }
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
