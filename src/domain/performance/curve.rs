use super::{Moments, annual};

/// What one unit of capital has become after each period.
pub fn equity(returns: &[f64]) -> Vec<f64> {
    let grow = |capital: &mut f64, gain: &f64| {
        *capital = (*capital * (1.0 + gain)).clamp(0.0, f64::MAX);
        Some(*capital)
    };
    returns.iter().scan(1.0, grow).collect()
}

/// After each period, what is lost from the highest capital before, as a share of it: 0 to 1.
pub fn drawdowns(returns: &[f64]) -> Vec<f64> {
    // The capital as a share of its peak, which cannot overflow however long the record is.
    let fall = |share: &mut f64, gain: &f64| {
        *share = (*share * (1.0 + gain)).clamp(0.0, 1.0);
        Some(1.0 - *share)
    };
    returns.iter().scan(1.0, fall).collect()
}

/// The largest loss from a peak of the capital (the start is one), as a share of it: 0 to 1.
pub fn max_drawdown(returns: &[f64]) -> f64 {
    drawdowns(returns).into_iter().fold(0.0, f64::max)
}

/// The annual Sharpe ratio of the last `window` periods, at each period; none before there are as many, and where the
/// returns in it do not vary.
pub fn rolling_sharpe(returns: &[f64], window: usize) -> Vec<Option<f64>> {
    let at = |end: usize| {
        let start = (end + 1).checked_sub(window)?;
        Some(annual(Moments::of(returns.get(start..=end)?)?.sharpe()))
    };
    (0..returns.len()).map(at).collect()
}
