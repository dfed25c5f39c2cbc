use std::borrow::Cow;

use super::Trial;
use crate::domain::model::{Figure, PlainFigures};
use crate::domain::performance::DailyReturns;
use crate::domain::time::Micros;

/// What is known of a version when its gates are asked.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The figures of its newest evaluation on data that it was not trained on (backtest or walk-forward), for the five
    /// plain gates.
    pub plain: &'a PlainFigures,
    /// The returns of its newest out-of-sample evaluation that has any, without those of its training window.
    pub out_of_sample: Option<&'a DailyReturns>,
    /// Days of that evaluation that were left out, for the version was trained on them.
    pub trained_on: u64,
    /// Its newest shadow test.
    pub shadow: Option<Shadow<'a>>,
    /// Every out-of-sample evaluation of the model's versions since its last promotion, this one's among them.
    pub trials: &'a [Trial<'a>],
    /// Whether its artifacts are there and have content.
    pub artifacts_ok: bool,
    /// Whether production asks for a shadow test.
    pub require_shadow: bool,
}

/// A shadow test.
#[derive(Clone, Copy, Debug)]
pub struct Shadow<'a> {
    /// Its returns.
    pub daily: Option<&'a DailyReturns>,
    /// Its trades.
    pub trades: Option<Figure>,
    /// Days that it covers, as its evaluation says.
    pub period_days: f64,
}

impl Shadow<'_> {
    /// Its days that the out-of-sample returns do not reach; none where it has no returns.
    pub(super) fn days_after(&self, out_of_sample: Option<&DailyReturns>) -> Option<u64> {
        Some(later(self.daily?, out_of_sample.map_or(0, end)).len() as u64)
    }

    /// Whether some of its days are days of the out-of-sample returns, or before these.
    pub(super) fn overlaps(&self, out_of_sample: Option<&DailyReturns>) -> bool {
        self.daily.zip(out_of_sample).is_some_and(|(daily, known)| u64::from(daily.first_day) < end(known))
    }
}

/// Returns without the days before `until`, which the version was trained on, and how many these are.
pub fn after_training(daily: DailyReturns, until: Micros) -> (Option<DailyReturns>, u64) {
    // A day that the training data reach into is theirs.
    let from = until.0.div_ceil(Micros::DAY);
    let kept = later(&daily, from);
    let dropped = (daily.returns.len() - kept.len()) as u64;
    if dropped == 0 {
        return (Some(daily), 0);
    }
    let first_day = u32::try_from(from).ok().filter(|_| !kept.is_empty());
    (first_day.map(|first_day| DailyReturns { first_day, returns: kept.to_vec() }), dropped)
}

/// The day after the last one.
fn end(daily: &DailyReturns) -> u64 {
    u64::from(daily.first_day) + daily.returns.len() as u64
}

/// The returns from `day` on.
fn later(daily: &DailyReturns, day: u64) -> &[f64] {
    let before = usize::try_from(day.saturating_sub(u64::from(daily.first_day))).unwrap_or(usize::MAX);
    daily.returns.get(before..).unwrap_or_default()
}

/// Out-of-sample and shadow returns as one record. A day of the shadow test that the out-of-sample data reach counts
/// once, with its out-of-sample return; days between the two are not there.
pub fn together<'a>(out_of_sample: &'a DailyReturns, shadow: Option<&DailyReturns>) -> Cow<'a, [f64]> {
    let Some(shadow) = shadow else { return Cow::Borrowed(&out_of_sample.returns) };
    Cow::Owned([&out_of_sample.returns, later(shadow, end(out_of_sample))].concat())
}
