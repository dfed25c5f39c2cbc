use super::daily::{compound, day_number, day_of, instant};
use super::trades::{computed, outcomes};
use super::{
    Bounded, CalibrationBin, DAYS_A_YEAR, DailyReturns, EvaluationInput, MetricsInput, Misfit, Moments,
    PredictionInput, ReturnsInput, Series, TradeInput, annual, lo_annual, max_drawdown, min_track_record, psr,
    sharpe_error, sortino,
};
use crate::domain::model::{Figure, FigureOrigin, Figures, PlainFigures};
use crate::domain::time::Micros;

/// What an evaluation comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// Its figures: computed where they can be, reported where not.
    pub figures: Figures,
    /// What they were computed from, to be stored beside it.
    pub series: Series,
    /// Days that it covers.
    pub period_days: f64,
}

/// Misfits that are named; a million of the same kind tell no more.
const NAMED: usize = 16;

/// Bins of the calibration.
const BINS: usize = 10;

/// The confidence that the minimum track record length is given for.
const TRACK_RECORD_CONFIDENCE: f64 = 0.95;

/// Computes what an evaluation comes to; or what in it does not do.
pub fn evaluate(input: &EvaluationInput, now: Micros) -> Result<Evaluated, Vec<Misfit>> {
    let mut misfits = Misfits::default();
    let trades = trades(input.trades.as_ref(), &mut misfits);
    let daily = match &input.returns {
        Some(returns) => daily(returns, now, &mut misfits),
        None => of_trades(&trades, now, &mut misfits),
    };
    let calibration = match &input.predictions {
        Some(predictions) => calibration(&predictions.0, "predictions", &mut misfits),
        None => calibration(&founded(input.trades.as_ref()), "trades", &mut misfits),
    };
    let reported = input.metrics.as_ref().map(|metrics| metrics.figures(&mut misfits)).unwrap_or_default();
    if input.period_days.is_some_and(|days| !(days >= 0.0 && days <= super::MOST_DAYS as f64)) {
        misfits.add("period_days", format!("must be from 0 to {}", super::MOST_DAYS));
    }
    if daily.is_none() && trades.is_empty() && reported == PlainFigures::default() {
        misfits.add("", "holds nothing to judge by: send `returns`, `trades` or `metrics`");
    }
    misfits.none()?;
    let series = Series { daily, trades: trades.into_iter().map(|(_, gain)| gain).collect(), calibration };
    let figures = evaluate_series(&series, &reported);
    let days = series.daily.as_ref().map(|daily| daily.returns.len() as f64);
    Ok(Evaluated { figures, series, period_days: days.or(input.period_days).unwrap_or(0.0) })
}

/// The figures of a series; those that it does not give are taken from `reported`.
pub fn evaluate_series(series: &Series, reported: &PlainFigures) -> Figures {
    let mut figures = Figures { plain: *reported, ..Figures::default() };
    if let Some(daily) = &series.daily {
        capital(&daily.returns, &mut figures);
        let moved = daily.returns.iter().filter(|gain| **gain != 0.0).count();
        outcomes(&daily.returns, moved, &mut figures.plain);
    }
    if !series.trades.is_empty() {
        outcomes(&series.trades, series.trades.len(), &mut figures.plain);
        figures.plain.total_trades = computed(Some(series.trades.len() as f64));
    }
    figures
}

/// The figures of the capital, from its returns a day.
fn capital(returns: &[f64], figures: &mut Figures) {
    let moments = Moments::of(returns);
    let drawdown = max_drawdown(returns);
    let growth: f64 = returns.iter().map(|gain| gain.ln_1p()).sum();
    let total = growth.exp_m1();
    let yearly = (growth * DAYS_A_YEAR / returns.len() as f64).exp_m1();
    let over_drawdown = |gain: f64| computed((drawdown > 0.0).then(|| gain / drawdown));
    let plain = &mut figures.plain;
    plain.sharpe_ratio = computed(moments.map(|moments| annual(moments.sharpe())));
    plain.sortino_ratio = computed(sortino(returns).map(annual));
    plain.calmar_ratio = over_drawdown(yearly);
    plain.max_drawdown = computed(Some(drawdown));
    plain.total_pnl = computed(Some(total));
    plain.risk_adjusted_return = over_drawdown(total);
    figures.periods = u64::try_from(returns.len()).ok();
    let Some(moments) = moments else { return };
    figures.sharpe_per_period = Some(moments.sharpe());
    figures.sharpe_error = Some(sharpe_error(&moments)).filter(|error| error.is_finite());
    figures.sharpe_lo = lo_annual(returns, &moments);
    figures.skewness = Some(moments.skewness);
    figures.kurtosis = Some(moments.kurtosis);
    figures.psr = Some(psr(&moments, 0.0)).filter(|psr| psr.is_finite());
    figures.min_track_record = min_track_record(&moments, 0.0, TRACK_RECORD_CONFIDENCE);
}

#[derive(Default)]
struct Misfits {
    named: Vec<Misfit>,
    more: usize,
}

impl Misfits {
    fn add(&mut self, field: impl Into<String>, why: impl Into<String>) {
        if self.named.len() < NAMED {
            self.named.push(Misfit { field: field.into(), why: why.into() });
        } else {
            self.more += 1;
        }
    }

    fn none(self) -> Result<(), Vec<Misfit>> {
        let Self { mut named, more } = self;
        if named.is_empty() {
            return Ok(());
        }
        if more > 0 {
            named.push(Misfit { field: String::new(), why: format!("{more} more values do not do") });
        }
        Err(named)
    }
}

/// Why a value is no return.
fn unfit_return(gain: f64) -> Option<String> {
    (!(-1.0..=10.0).contains(&gain))
        .then(|| format!("{gain} is no share of the capital: must be from -1 (all lost) to 10; 0.01 is one per cent"))
}

/// The trades in order of their end.
fn trades(input: Option<&Bounded<TradeInput>>, misfits: &mut Misfits) -> Vec<(i64, f64)> {
    let Some(Bounded(input)) = input else { return Vec::new() };
    let mut trades = Vec::with_capacity(input.len());
    for (at, trade) in input.iter().enumerate() {
        let (name, gain) = match (trade.gain, trade.pnl_percent) {
            (Some(gain), None) => ("return", gain),
            (None, Some(percent)) => ("pnl_percent", percent / 100.0),
            (Some(_), Some(_)) => {
                misfits.add(format!("trades.{at}"), "has both `return` and `pnl_percent`: send one");
                continue;
            }
            (None, None) => {
                misfits.add(format!("trades.{at}.return"), "is missing");
                continue;
            }
        };
        match unfit_return(gain) {
            Some(why) => misfits.add(format!("trades.{at}.{name}"), why),
            None => trades.push((trade.closed_at.0, gain)),
        }
    }
    trades.sort_by_key(|(closed_at, _)| *closed_at);
    trades
}

/// What the capital made a day, where only its trades are known.
fn of_trades(trades: &[(i64, f64)], now: Micros, misfits: &mut Misfits) -> Option<DailyReturns> {
    if trades.is_empty() {
        return None;
    }
    let days = trades.iter().map(|(closed_at, gain)| (day_of(*closed_at), *gain));
    compound(days, now).map_err(|why| misfits.add("trades", why)).ok()
}

/// The returns a day.
fn daily(input: &ReturnsInput, now: Micros, misfits: &mut Misfits) -> Option<DailyReturns> {
    let values = &input.values.0;
    let before = misfits.named.len();
    for (at, gain) in values.iter().enumerate() {
        if let Some(why) = unfit_return(*gain) {
            misfits.add(format!("returns.values.{at}"), why);
        }
    }
    let days = match (&input.first_day, &input.start, input.period_seconds) {
        (Some(first_day), None, None) => match day_number(first_day) {
            Some(first) => compound((first..).zip(values.iter().copied()), now),
            None => {
                misfits.add("returns.first_day", format!("{first_day:?} is no day such as 2026-01-17"));
                return None;
            }
        },
        (None, Some(start), Some(seconds)) if seconds > 0 && 86_400 % seconds == 0 => match instant(start) {
            Some(start) => {
                let ends = (0..).map(|at: i64| day_of(start.saturating_add(at * i64::from(seconds) * 1_000_000)));
                compound(ends.zip(values.iter().copied()), now)
            }
            None => {
                misfits.add("returns.start", format!("{start:?} is no instant such as 2026-01-17T00:00:00Z"));
                return None;
            }
        },
        (None, Some(_), Some(seconds)) => {
            misfits.add("returns.period_seconds", format!("{seconds} does not divide a day (86400)"));
            return None;
        }
        _ => {
            misfits.add("returns", "takes `first_day`, or `start` and `period_seconds`");
            return None;
        }
    };
    let days = days.map_err(|why| misfits.add("returns", why)).ok();
    days.filter(|_| misfits.named.len() == before)
}

/// The trades that say how sure the model was, as predictions.
fn founded(trades: Option<&Bounded<TradeInput>>) -> Vec<PredictionInput> {
    let trades = trades.map(|trades| trades.0.as_slice()).unwrap_or_default();
    let prediction = |trade: &TradeInput| {
        let gain = trade.gain.or(trade.pnl_percent)?;
        Some(PredictionInput { confidence: trade.confidence?, came_true: gain > 0.0 })
    };
    trades.iter().filter_map(prediction).collect()
}

/// How often predictions of about the same confidence came true.
fn calibration(predictions: &[PredictionInput], field: &str, misfits: &mut Misfits) -> Vec<CalibrationBin> {
    let mut bins = [(0.0, 0_u64, 0_u64); BINS];
    for (at, prediction) in predictions.iter().enumerate() {
        if !(0.0..=1.0).contains(&prediction.confidence) {
            misfits.add(format!("{field}.{at}.confidence"), "must be from 0 to 1");
            continue;
        }
        let bin = ((prediction.confidence * BINS as f64) as usize).min(BINS - 1);
        if let Some((sum, came_true, count)) = bins.get_mut(bin) {
            *sum += prediction.confidence;
            *came_true += u64::from(prediction.came_true);
            *count += 1;
        }
    }
    let bin = |(at, (sum, came_true, count)): (usize, (f64, u64, u64))| CalibrationBin {
        from: at as f64 / BINS as f64,
        until: (at + 1) as f64 / BINS as f64,
        confidence: sum / count as f64,
        came_true: came_true as f64 / count as f64,
        count,
    };
    bins.into_iter().enumerate().filter(|(_, (_, _, count))| *count > 0).map(bin).collect()
}

impl MetricsInput {
    fn figures(&self, misfits: &mut Misfits) -> PlainFigures {
        const ANY: f64 = 1e12;
        let mut take = |name: &str, value: Option<f64>, least: f64, most: f64| {
            let value = value?;
            if (least..=most).contains(&value) {
                return Some(Figure { value, origin: FigureOrigin::Reported });
            }
            misfits.add(format!("metrics.{name}"), format!("{value} is not from {least} to {most}"));
            None
        };
        PlainFigures {
            total_trades: take("total_trades", self.total_trades.map(|trades| trades as f64), 0.0, ANY),
            win_rate: take("win_rate", self.win_rate, 0.0, 1.0),
            profit_factor: take("profit_factor", self.profit_factor, 0.0, ANY),
            sharpe_ratio: take("sharpe_ratio", self.sharpe_ratio, -ANY, ANY),
            sortino_ratio: take("sortino_ratio", self.sortino_ratio, -ANY, ANY),
            calmar_ratio: take("calmar_ratio", self.calmar_ratio, -ANY, ANY),
            max_drawdown: take("max_drawdown", self.max_drawdown, 0.0, 1.0),
            avg_win: take("avg_win", self.avg_win, -ANY, ANY),
            avg_loss: take("avg_loss", self.avg_loss, -ANY, ANY),
            total_pnl: take("total_pnl", self.total_pnl, -ANY, ANY),
            risk_adjusted_return: take("risk_adjusted_return", self.risk_adjusted_return, -ANY, ANY),
        }
    }
}
