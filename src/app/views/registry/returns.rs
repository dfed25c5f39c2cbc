//! Returns as curves: what became of the capital, thinned to what a page can show.

use crate::domain::performance::{DailyReturns, drawdowns, equity};
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

/// A curve of which a point may stand for several days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EquityCurve {
    /// The points, oldest first.
    pub points: Vec<EquityPoint>,
    /// Days that each stands for.
    pub days: usize,
}

impl EquityCurve {
    /// At most `most` points: of several days the last one's total, and the deepest drawdown among them, so that no loss
    /// is left out of the picture.
    pub fn of(daily: &DailyReturns, most: usize) -> Self {
        let days = daily.returns.len().div_ceil(most.max(1)).max(1);
        Self { points: points(daily, days), days }
    }

    /// Curves over the same days, for one picture: a point of each on the days that it has, none on the others.
    pub fn side_by_side(all: &[Option<&DailyReturns>], most: usize) -> (Vec<Micros>, Vec<Vec<Option<f64>>>) {
        let known = || all.iter().flatten().filter(|daily| !daily.returns.is_empty());
        let first = known().map(|daily| day(daily, 0)).min();
        let last = known().map(|daily| day(daily, daily.returns.len() - 1)).max();
        let (Some(first), Some(last)) = (first, last) else { return (Vec::new(), vec![Vec::new(); all.len()]) };
        let count = ((last.0 - first.0) / Micros::DAY) as usize + 1;
        let step = count.div_ceil(most.max(1)).max(1);
        // The last of each group of days, so that the last day of all is in the picture.
        let shown: Vec<Micros> =
            (0..count).rev().step_by(step).map(|index| first.plus(index as u64 * Micros::DAY)).rev().collect();
        let figures = all.iter().map(|daily| match daily {
            None => vec![None; shown.len()],
            Some(daily) => {
                let totals = equity(&daily.returns);
                let start = day(daily, 0);
                let at = |day: &Micros| {
                    let index = day.0.checked_sub(start.0)? / Micros::DAY;
                    totals.get(index as usize).map(|capital| capital - 1.0)
                };
                shown.iter().map(at).collect()
            }
        });
        let figures = figures.collect();
        (shown, figures)
    }
}

fn day(daily: &DailyReturns, index: usize) -> Micros {
    Micros((u64::from(daily.first_day) + index as u64) * Micros::DAY)
}

fn points(daily: &DailyReturns, days: usize) -> Vec<EquityPoint> {
    let all = equity(&daily.returns).into_iter().zip(drawdowns(&daily.returns)).enumerate();
    let mut points: Vec<EquityPoint> = Vec::new();
    for (index, (capital, lost)) in all {
        let point = EquityPoint { day: day(daily, index), total: capital - 1.0, drawdown: -lost };
        match points.last_mut().filter(|_| index % days != 0) {
            Some(last) => *last = EquityPoint { drawdown: last.drawdown.min(point.drawdown), ..point },
            None => points.push(point),
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(first_day: u32, returns: &[f64]) -> DailyReturns {
        DailyReturns { first_day, returns: returns.to_vec() }
    }

    #[test]
    fn thinning_keeps_the_deepest_drawdown_and_the_last_day() {
        let curve = EquityCurve::of(&daily(20_000, &[0.0, -0.5, 1.0, 0.0, 0.0]), 2);
        assert_eq!((curve.points.len(), curve.days), (2, 3));
        assert_eq!((curve.points[0].drawdown, curve.points[0].total), (-0.5, 0.0));
        assert_eq!(curve.points[1].day, Micros(20_004 * Micros::DAY));
        let whole = EquityCurve::of(&daily(20_000, &[0.1, -0.5]), 400);
        assert_eq!((whole.days, whole.points[1].total), (1, 1.1 * 0.5 - 1.0));
    }

    #[test]
    fn curves_of_different_days_share_one_axis() {
        let (early, late) = (daily(100, &[1.0, 0.0]), daily(101, &[0.0, 1.0, 1.0]));
        let (days, figures) = EquityCurve::side_by_side(&[Some(&early), None, Some(&late)], 400);
        assert_eq!(days.iter().map(|day| day.0 / Micros::DAY).collect::<Vec<_>>(), [100, 101, 102, 103]);
        assert_eq!(figures[0], [Some(1.0), Some(1.0), None, None]);
        assert_eq!(figures[1], [None; 4]);
        assert_eq!(figures[2], [None, Some(0.0), Some(1.0), Some(3.0)]);
        let (days, _) = EquityCurve::side_by_side(&[Some(&late)], 2);
        assert_eq!(days.last().map(|day| day.0 / Micros::DAY), Some(103), "the last day is always there");
        assert_eq!(EquityCurve::side_by_side(&[None], 10).0, []);
    }
}
