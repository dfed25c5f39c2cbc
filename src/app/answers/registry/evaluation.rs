use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::answers::QueryError;
use crate::app::answers::query::{MAX_LIMIT, limit};
use crate::app::registry::{HistoryQuery, Registry, RegistryError};
use crate::app::views::registry::compare;
use crate::domain::model::{
    Evaluation, EvaluationId, EvaluationKind, Figure, Figures, ModelId, PlainFigures, VersionName,
};
use crate::domain::performance::{CalibrationBin, Series};
use crate::domain::time::{Micros, rfc3339};

/// A range that the true value lies in with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntervalAnswer {
    /// From here.
    pub from: f64,
    /// To here.
    pub until: f64,
}

/// Figures that are computed here, from returns a day. Null where there are none, or too few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceAnswer {
    /// Days of the returns.
    pub days: Option<u64>,
    /// Sharpe ratio a day.
    pub sharpe_per_day: Option<f64>,
    /// Its standard error, from skewness and kurtosis.
    pub sharpe_error: Option<f64>,
    /// The annual Sharpe ratio with a confidence of 95 %.
    pub sharpe_interval: Option<IntervalAnswer>,
    /// The annual Sharpe ratio, corrected for autocorrelation (Lo 2002).
    pub sharpe_lo: Option<f64>,
    /// Skewness of the returns.
    pub skewness: Option<f64>,
    /// Kurtosis of the returns; 3 where they are normal.
    pub kurtosis: Option<f64>,
    /// The probability that the true Sharpe ratio is above zero.
    pub psr: Option<f64>,
    /// Days that `psr` needs to reach 0.95, were the returns to go on like this.
    pub min_track_record: Option<f64>,
}

impl From<&Figures> for EvidenceAnswer {
    fn from(figures: &Figures) -> Self {
        Self {
            days: figures.periods,
            sharpe_per_day: figures.sharpe_per_period,
            sharpe_error: figures.sharpe_error,
            sharpe_interval: sharpe_interval(figures),
            sharpe_lo: figures.sharpe_lo,
            skewness: figures.skewness,
            kurtosis: figures.kurtosis,
            psr: figures.psr,
            min_track_record: figures.min_track_record,
        }
    }
}

/// The interval of the annual Sharpe ratio, where it was computed: nobody knows the error of a figure that was merely
/// reported.
pub(super) fn sharpe_interval(figures: &Figures) -> Option<IntervalAnswer> {
    let found = compare::sharpe_interval(figures)?;
    Some(IntervalAnswer { from: found.low, until: found.high })
}

/// The interval of a share of so many trades (Wilson 1927, the score interval).
pub(super) fn share_interval(share: Option<Figure>, of: Option<Figure>) -> Option<IntervalAnswer> {
    let found = compare::share_interval(share, of)?;
    Some(IntervalAnswer { from: found.low, until: found.high })
}

/// One evaluation of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationAnswer {
    /// Its number.
    pub id: EvaluationId,
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// How it was tried.
    pub r#type: EvaluationKind,
    /// When it was recorded.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub evaluated_at: Micros,
    /// Who sent it.
    pub by: String,
    /// Days that it covers.
    pub period_days: f64,
    /// The figures that programs know it by, each with where it comes from.
    pub metrics: PlainFigures,
    /// What is computed from returns.
    pub evidence: EvidenceAnswer,
    /// Whether the five plain gates let it pass.
    pub passed: bool,
    /// 0 to 100.
    pub promotion_score: f64,
    /// What it failed on; empty where it passed.
    pub failure_reason: String,
    /// Whether returns are kept, which `…/evaluations/{n}` then holds.
    pub has_returns: bool,
}

impl From<&Evaluation> for EvaluationAnswer {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            id: evaluation.id,
            model_id: evaluation.model.clone(),
            version: evaluation.version.clone(),
            r#type: evaluation.kind,
            evaluated_at: evaluation.at,
            by: evaluation.by.clone(),
            period_days: evaluation.period_days,
            metrics: evaluation.figures.plain,
            evidence: EvidenceAnswer::from(&evaluation.figures),
            passed: evaluation.passed,
            promotion_score: evaluation.score,
            failure_reason: evaluation.failure_reason.clone(),
            has_returns: evaluation.has_returns,
        }
    }
}

/// The evaluations of a version, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationPage {
    /// The evaluations.
    pub evaluations: Vec<EvaluationAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl EvaluationPage {
    /// Looks for a page.
    pub fn find(
        registry: &Registry,
        model: &ModelId,
        version: &VersionName,
        query: &HistoryQuery,
    ) -> Result<Result<Self, RegistryError>, QueryError> {
        let limit = limit(query.limit, MAX_LIMIT)?;
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let found = match registry.evaluations(model, version) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let mut rest = found.iter().filter(|evaluation| evaluation.id.0 < before);
        let evaluations: Vec<_> = rest.by_ref().take(limit).map(EvaluationAnswer::from).collect();
        let next = evaluations.last().filter(|_| rest.next().is_some()).map(|last| last.id.to_string());
        Ok(Ok(Self { evaluations, next }))
    }
}

/// Returns a day, without holes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnsAnswer {
    /// The first day, `YYYY-MM-DD`, UTC.
    pub first_day: String,
    /// A share of the capital each.
    pub values: Vec<f64>,
}

/// Predictions of about the same confidence, and how often they came true.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationAnswer {
    /// From this confidence.
    pub from: f64,
    /// To this one.
    pub until: f64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share that came true.
    pub came_true: f64,
    /// How many.
    pub count: u64,
}

impl From<&CalibrationBin> for CalibrationAnswer {
    fn from(bin: &CalibrationBin) -> Self {
        let CalibrationBin { from, until, confidence, came_true, count } = *bin;
        Self { from, until, confidence, came_true, count }
    }
}

/// One evaluation with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationDetail {
    /// The evaluation.
    #[serde(flatten)]
    pub evaluation: EvaluationAnswer,
    /// Returns a day; null where none were sent.
    pub returns: Option<ReturnsAnswer>,
    /// Returns of the trades, in order of their end.
    pub trade_returns: Vec<f64>,
    /// How well its confidence was founded.
    pub calibration: Vec<CalibrationAnswer>,
}

impl EvaluationDetail {
    /// Looks it up.
    pub fn find(
        registry: &Registry,
        model: &ModelId,
        version: &VersionName,
        number: EvaluationId,
    ) -> Result<Self, RegistryError> {
        let (evaluation, series) = registry.evaluation(model, version, number)?;
        let series: Series = series.unwrap_or_default();
        let returns = series.daily.map(|daily| ReturnsAnswer {
            first_day: daily.day(0).map(|day| day.to_string()).unwrap_or_default(),
            values: daily.returns,
        });
        Ok(Self {
            evaluation: EvaluationAnswer::from(&evaluation),
            returns,
            trade_returns: series.trades,
            calibration: series.calibration.iter().map(CalibrationAnswer::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::model::FigureOrigin;

    fn figure(value: f64, origin: FigureOrigin) -> Option<Figure> {
        Some(Figure { value, origin })
    }

    /// Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20 and 1 of 29, by the score method.
    #[test]
    fn intervals_of_a_share() {
        for (won, of, from, until) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let figure = |value| figure(value, FigureOrigin::Computed);
            let found = share_interval(figure(won / of), figure(of)).expect("an interval");
            assert!((found.from - from).abs() < 5e-5 && (found.until - until).abs() < 5e-5, "{won} of {of}: {found:?}");
        }
    }

    #[test]
    fn a_share_and_a_number_that_do_not_belong_together() {
        let (computed, reported) = (FigureOrigin::Computed, FigureOrigin::Reported);
        assert_eq!(share_interval(figure(0.5, computed), figure(100.0, reported)), None);
        assert_eq!(share_interval(figure(0.5, computed), figure(0.0, computed)), None);
        assert_eq!(share_interval(None, figure(10.0, computed)), None);
    }

    #[test]
    fn the_interval_of_a_sharpe_ratio_is_annual() {
        let figures = Figures { sharpe_per_period: Some(0.1), sharpe_error: Some(0.05), ..Figures::default() };
        let found = sharpe_interval(&figures).expect("an interval");
        let year = 365.0_f64.sqrt();
        assert!((found.from - (0.1 - 1.959_964 * 0.05) * year).abs() < 1e-6, "{found:?}");
        assert!((found.until - (0.1 + 1.959_964 * 0.05) * year).abs() < 1e-6, "{found:?}");
        assert_eq!(sharpe_interval(&Figures { sharpe_error: None, ..figures }), None);
    }
}
