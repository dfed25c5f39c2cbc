//! How capital grew, day by day, and how far it was below its peak.

use super::DailyReturns;
use crate::domain::time::Micros;

/// Where the capital stood at the end of a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EquityPoint {
    /// The day.
    pub day: Micros,
    /// Won or lost since the beginning, as a share of the capital at the beginning.
    pub total: f64,
    /// How far it is below its peak, as a share of that: zero or less.
    pub drawdown: f64,
}

/// Every day of the returns.
pub fn equity(daily: &DailyReturns) -> impl Iterator<Item = EquityPoint> + '_ {
    let (mut capital, mut peak) = (1.0_f64, 1.0_f64);
    daily.returns.iter().enumerate().map(move |(index, change)| {
        capital *= 1.0 + change;
        peak = peak.max(capital);
        let day = u64::from(daily.first_day) + index as u64;
        EquityPoint { day: Micros(day * Micros::DAY), total: capital - 1.0, drawdown: capital / peak - 1.0 }
    })
}

/// At most `most` points: of several days the last one's total, and the deepest drawdown among them, so that no loss
/// is left out of the picture. The second value is how many days a point stands for.
pub fn thinned(points: impl Iterator<Item = EquityPoint>, count: usize, most: usize) -> (Vec<EquityPoint>, usize) {
    let days = count.div_ceil(most.max(1)).max(1);
    let mut thin: Vec<EquityPoint> = Vec::with_capacity(count.min(most));
    for (index, point) in points.enumerate() {
        match thin.last_mut().filter(|_| index % days != 0) {
            Some(last) => *last = EquityPoint { drawdown: last.drawdown.min(point.drawdown), ..point },
            None => thin.push(point),
        }
    }
    (thin, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(returns: &[f64]) -> DailyReturns {
        DailyReturns { first_day: 20_000, returns: returns.to_vec() }
    }

    #[test]
    fn capital_compounds_and_falls_from_its_peak() {
        let points: Vec<_> = equity(&daily(&[0.1, -0.5, 0.0, 1.0])).collect();
        let totals: Vec<_> = points.iter().map(|point| (point.total * 1e6).round() / 1e6).collect();
        let drawdowns: Vec<_> = points.iter().map(|point| (point.drawdown * 1e6).round() / 1e6).collect();
        assert_eq!(totals, [0.1, -0.45, -0.45, 0.1]);
        assert_eq!(drawdowns, [0.0, -0.5, -0.5, 0.0]);
        assert_eq!(points[0].day, Micros(20_000 * Micros::DAY));
    }

    #[test]
    fn thinning_keeps_the_deepest_drawdown_and_the_last_day() {
        let daily = daily(&[0.0, -0.5, 1.0, 0.0, 0.0]);
        let (points, days) = thinned(equity(&daily), 5, 2);
        assert_eq!((points.len(), days), (2, 3));
        assert_eq!((points[0].drawdown, points[0].total), (-0.5, 0.0));
        assert_eq!(points[1].day, Micros(20_004 * Micros::DAY));
    }

    #[test]
    fn ruin_stays_ruin() {
        let last = equity(&daily(&[0.5, -1.0, 3.0])).last().expect("a point");
        assert_eq!((last.total, last.drawdown), (-1.0, -1.0));
    }
}
