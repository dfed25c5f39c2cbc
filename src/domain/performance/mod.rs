//! Figures of returns and trades: Sharpe, Sortino, Calmar, drawdown, the probabilistic and the deflated Sharpe ratio.
//!
//! Everything is per day and as a share of the capital unless its name says otherwise. Formulas, units and sources are
//! in `docs/GATES.md`.

use bincode::{Decode, Encode};
use chrono::NaiveDate;

mod curve;
mod daily;
mod evaluate;
mod input;
mod moments;
mod normal;
mod sharpe;
mod student;
mod trades;

#[cfg(test)]
mod input_tests;
#[cfg(test)]
mod tests;

pub use self::curve::{drawdowns, equity, max_drawdown, rolling_sharpe};
pub use self::evaluate::{Evaluated, evaluate, evaluate_series};
pub use self::input::{
    Bounded, Closed, EvaluationInput, MOST_DAYS, MOST_ITEMS, MetricsInput, Misfit, PredictionInput, ReturnsInput,
    TradeInput,
};
pub use self::moments::Moments;
pub use self::normal::{cdf, quantile};
pub use self::sharpe::{
    Interval, annual, cautious_psr, expected_best, interval, lo_annual, min_track_record, psr, sharpe_error, sortino,
};

/// Periods of a year: crypto trades every day.
pub const DAYS_A_YEAR: f64 = 365.0;

/// Returns a day, without holes: a day without a trade has a return of zero.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct DailyReturns {
    /// The first day, in days since the epoch (UTC).
    pub first_day: u32,
    /// A share of the capital each.
    pub returns: Vec<f64>,
}

impl DailyReturns {
    /// The calendar day of the return at `index`.
    pub fn day(&self, index: usize) -> Option<NaiveDate> {
        let day = i64::from(self.first_day) + i64::try_from(index).ok()?;
        Some(chrono::DateTime::from_timestamp(day * 86_400, 0)?.date_naive())
    }
}

/// Predictions of about the same confidence, and how often they came true.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub struct CalibrationBin {
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

/// What an evaluation rests on, as it is stored beside it.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Series {
    /// Returns a day.
    pub daily: Option<DailyReturns>,
    /// Returns of the trades, in order of their end; a share of the capital each.
    pub trades: Vec<f64>,
    /// How well its confidence was founded.
    pub calibration: Vec<CalibrationBin>,
}

impl Series {
    /// Whether nothing is in it that would be worth storing.
    pub fn is_empty(&self) -> bool {
        self.daily.is_none() && self.trades.is_empty() && self.calibration.is_empty()
    }
}
