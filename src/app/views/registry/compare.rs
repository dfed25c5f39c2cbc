use super::returns::EquityCurve;
use super::version::POINTS;
use crate::app::registry::{Compared, Registry, RegistryError};
use crate::domain::gates::Verdict;
use crate::domain::model::{Figure, Figures, ModelId, VersionName};
use crate::domain::performance::{Interval, annual, interval, quantile};
use crate::domain::time::Micros;

/// How sure an interval is to hold what it is about.
const CONFIDENCE: f64 = 0.95;

/// Two to four versions beside each other.
#[derive(Clone, Debug)]
pub struct CompareView {
    /// The versions, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// Names of parameters and of tags that any of them has.
    pub parameters: Vec<String>,
    /// Names of tags that any of them has.
    pub tags: Vec<String>,
    /// The days of the picture.
    pub days: Vec<Micros>,
    /// What each won or lost until then, as a share of its capital at its beginning.
    pub totals: Vec<Vec<Option<f64>>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Column {
    /// The version and what was found out about it.
    pub compared: Compared,
    /// What the gates say now, for each goal.
    pub verdicts: Vec<Verdict>,
}

impl CompareView {
    /// Looks them up.
    pub fn find(registry: &Registry, asked: &[(ModelId, VersionName)], now: Micros) -> Result<Self, RegistryError> {
        let comparison = registry.compare(asked, now)?;
        let (mut columns, mut dailies) = (Vec::new(), Vec::new());
        for compared in comparison.versions {
            let (id, name) = (&compared.detail.model.id, &compared.detail.version.name);
            let with_returns = compared.out_of_sample.as_ref().filter(|evaluation| evaluation.has_returns);
            let series = match with_returns {
                Some(evaluation) => registry.evaluation(id, name, evaluation.id)?.1,
                None => None,
            };
            dailies.push(series.and_then(|series| series.daily));
            columns.push(Column { verdicts: registry.verdicts(id, name)?, compared });
        }
        let dailies: Vec<_> = dailies.iter().map(Option::as_ref).collect();
        let (days, totals) = EquityCurve::side_by_side(&dailies, POINTS);
        let names = |names: Vec<(String, bool)>| names.into_iter().map(|(name, _)| name).collect();
        Ok(Self { columns, parameters: names(comparison.parameters), tags: names(comparison.tags), days, totals })
    }
}

/// Where the true annual Sharpe ratio lies, given the returns behind it.
pub fn sharpe_interval(figures: &Figures) -> Option<Interval> {
    interval(annual(figures.sharpe_per_period?), annual(figures.sharpe_error?), CONFIDENCE)
}

/// Where the true share of trades that win lies (Wilson 1927): within 0 and 1 also for few trades.
pub fn share_interval(share: Option<Figure>, of: Option<Figure>) -> Option<Interval> {
    let (share, of) = (share?, of?);
    if share.origin != of.origin {
        // The one is of days, say, and the other of trades.
        return None;
    }
    let (share, count) = (share.value, of.value);
    let z = quantile(0.5 + CONFIDENCE / 2.0)?;
    if count < 1.0 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let spread = z * z / count;
    let middle = (share + spread / 2.0) / (1.0 + spread);
    let width = z * (share * (1.0 - share) / count + spread / count / 4.0).sqrt() / (1.0 + spread);
    Some(Interval { low: (middle - width).max(0.0), high: (middle + width).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::FigureOrigin;

    #[test]
    fn an_interval_of_a_share_is_wilsons() {
        let figure = |value| Some(Figure { value, origin: FigureOrigin::Computed });
        // 58 of 100: 0.4823 to 0.6720 (by hand, with z = 1.959964).
        let interval = share_interval(figure(0.58), figure(100.0)).expect("an interval");
        assert!((interval.low - 0.482_11).abs() < 1e-4 && (interval.high - 0.672_03).abs() < 1e-4, "{interval:?}");
        let all = share_interval(figure(1.0), figure(3.0)).expect("an interval");
        assert!(all.low > 0.4 && all.high == 1.0, "{all:?}");
        assert_eq!(share_interval(figure(0.5), figure(0.0)), None);
        assert_eq!(share_interval(None, figure(10.0)), None);
    }
}
