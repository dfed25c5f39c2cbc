use std::borrow::Cow;

use super::Trial;
use crate::domain::model::{Figure, PlainFigures};
use crate::domain::performance::DailyReturns;

/// What is known of a version when its gates are asked.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The figures of its newest evaluation on data that it was not trained on (backtest or walk-forward), for the five
    /// plain gates.
    pub plain: &'a PlainFigures,
    /// The returns of its newest out-of-sample evaluation that has any.
    pub out_of_sample: Option<&'a DailyReturns>,
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

/// Out-of-sample and shadow returns as one record. A day of the shadow test that the out-of-sample data reach counts
/// once, with its out-of-sample return; days between the two are not there.
pub fn together<'a>(out_of_sample: &'a DailyReturns, shadow: Option<&DailyReturns>) -> Cow<'a, [f64]> {
    let Some(shadow) = shadow else { return Cow::Borrowed(&out_of_sample.returns) };
    let end = u64::from(out_of_sample.first_day) + out_of_sample.returns.len() as u64;
    let known = usize::try_from(end.saturating_sub(u64::from(shadow.first_day))).unwrap_or(usize::MAX);
    let later = shadow.returns.get(known..).unwrap_or_default();
    Cow::Owned([&out_of_sample.returns, later].concat())
}
