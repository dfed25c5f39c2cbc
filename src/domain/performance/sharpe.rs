use super::normal::{cdf, quantile};
use super::student;
use super::{DAYS_A_YEAR, Moments};

/// Euler's constant, of the expectation of a maximum.
const EULER: f64 = 0.577_215_664_901_532_9;

/// A ratio per day, per year: times the root of 365. Right where days do not depend on each other; see [`lo_annual`].
pub fn annual(per_period: f64) -> f64 {
    per_period * DAYS_A_YEAR.sqrt()
}

/// The variance of the estimated Sharpe ratio times (n - 1), from skewness and kurtosis (Mertens 2002; Bailey and López
/// de Prado 2012, equation 5): `1 - g3·SR + (g4 - 1)/4·SR²`. Never below zero for moments of a sample, but for rounding.
fn spread(moments: &Moments) -> f64 {
    let sharpe = moments.sharpe();
    (1.0 - moments.skewness * sharpe + (moments.kurtosis - 1.0) / 4.0 * sharpe * sharpe).max(f64::MIN_POSITIVE)
}

/// The standard error of the Sharpe ratio a period.
pub fn sharpe_error(moments: &Moments) -> f64 {
    (spread(moments) / (moments.n as f64 - 1.0)).sqrt()
}

/// The probabilistic Sharpe ratio: the probability that the true Sharpe ratio a period is above `benchmark` (Bailey and
/// López de Prado 2012, equation 9).
pub fn psr(moments: &Moments, benchmark: f64) -> f64 {
    cdf((moments.sharpe() - benchmark) / sharpe_error(moments))
}

/// [`psr`] as a short record is to be trusted; never above it where the Sharpe ratio is above the benchmark.
///
/// The approximation behind PSR is one for long records: it takes the variance, skewness and kurtosis of the sample for
/// those of the strategy. Two things are taken back here. Skewness that speaks for the strategy is not believed, because
/// in a short record a lucky mean and a lucky skewness come together. And the normal distribution gives way to Student's
/// t with as many degrees of freedom as the variance is known by, `2·(n - 1)/(g4 - 1)` (Satterthwaite 1946), n - 1 at
/// most: a hundred days with ten trades are closer to ten observations than to a hundred.
pub fn cautious_psr(moments: &Moments, benchmark: f64) -> f64 {
    let periods = moments.n as f64 - 1.0;
    let doubtful = Moments { skewness: moments.skewness.min(0.0), ..*moments };
    let freedom = (2.0 * periods / (moments.kurtosis - 1.0)).clamp(1.0, periods.max(1.0));
    student::cdf((moments.sharpe() - benchmark) / sharpe_error(&doubtful), freedom)
}

/// The minimum track record length: the periods after which PSR against `benchmark` reaches `confidence`, were the
/// returns to go on like these (Bailey and López de Prado 2012, equation 11). None where no number of periods would do.
pub fn min_track_record(moments: &Moments, benchmark: f64, confidence: f64) -> Option<f64> {
    let above = moments.sharpe() - benchmark;
    let quantile = quantile(confidence)?;
    let periods = 1.0 + spread(moments) * (quantile / above).powi(2);
    (above > 0.0 && periods.is_finite()).then_some(periods)
}

/// The Sharpe ratio a period that the best of `trials` independent ones without any edge is expected to show, given the
/// `variance` of their Sharpe ratios (Bailey and López de Prado 2014, equation 1). Zero for a single trial.
///
/// Their approximation holds from two trials on. Between one and two, where many trials that are much alike come to lie,
/// it grows as the root of what is beyond one: so does the maximum of `n` variables of correlation `r`, `√(1 - r)` times
/// that of independent ones, when `r` nears one.
pub fn expected_best(trials: f64, variance: f64) -> f64 {
    let best = |trials: f64| {
        let first = quantile(1.0 - 1.0 / trials).unwrap_or(0.0);
        let second = quantile(1.0 - 1.0 / (trials * std::f64::consts::E)).unwrap_or(0.0);
        (1.0 - EULER) * first + EULER * second
    };
    let units = if trials < 2.0 { (trials - 1.0).max(0.0).sqrt() * best(2.0) } else { best(trials) };
    variance.max(0.0).sqrt() * units
}

/// From where to where a ratio lies with some confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// From.
    pub low: f64,
    /// To.
    pub high: f64,
}

/// The interval around `sharpe` that holds the true value with probability `confidence`, given its standard error. Both
/// per period, or both per year.
pub fn interval(sharpe: f64, error: f64, confidence: f64) -> Option<Interval> {
    let width = error * quantile(0.5 + confidence / 2.0)?;
    Some(Interval { low: sharpe - width, high: sharpe + width }).filter(|it| it.low.is_finite() && it.high.is_finite())
}

/// The annual Sharpe ratio corrected for autocorrelation (Lo 2002, equation 20): returns that follow their like make a
/// year riskier than 365 independent days.
///
/// `SR·q/√(q + 2·Σ(q - k)·ρk)`, with q = 365 and the autocorrelations of the first lags: those that a tenth of the
/// record can tell, six at most, because more would add noise rather than knowledge. None where they leave no variance.
pub fn lo_annual(returns: &[f64], moments: &Moments) -> Option<f64> {
    let lags = (returns.len() / 10).min(6);
    let distances: Vec<f64> = returns.iter().map(|value| (value - moments.mean) / moments.deviation).collect();
    let variance: f64 = distances.iter().map(|distance| distance * distance).sum();
    let correlation = |lag: usize| {
        let later = distances.get(lag..).unwrap_or_default();
        distances.iter().zip(later).map(|(one, other)| one * other).sum::<f64>() / variance
    };
    let weighted: f64 = (1..=lags).map(|lag| (DAYS_A_YEAR - lag as f64) * correlation(lag)).sum();
    let under = DAYS_A_YEAR + 2.0 * weighted;
    let ratio = moments.sharpe() * DAYS_A_YEAR / under.sqrt();
    (under > 0.0 && ratio.is_finite()).then_some(ratio)
}

/// The Sortino ratio a period: mean over the downside deviation (the root of the mean square of returns below zero,
/// over all periods). None without a loss.
pub fn sortino(returns: &[f64]) -> Option<f64> {
    let count = returns.len() as f64;
    let mean = super::moments::sum(returns.iter().copied()) / count;
    let below = super::moments::sum(returns.iter().map(|value| value.min(0.0).powi(2))) / count;
    let ratio = mean / below.sqrt();
    (below > 0.0 && ratio.is_finite()).then_some(ratio)
}
