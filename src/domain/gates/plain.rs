use super::note::{figure, threshold as shown};
use super::{Gate, GateAnswer, GateOutcome, Terms};
use crate::domain::model::{Figure, FigureOrigin, PlainFigures};

/// Which side of a threshold is the good one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    AtLeast,
    AtMost,
}

/// The five plain gates' answers, those that are off left out.
pub fn plain(figures: &PlainFigures, terms: &Terms) -> Vec<GateAnswer> {
    use Side::{AtLeast, AtMost};
    let trades_min = terms.trades_min.map(|trades| trades as f64);
    [
        (Gate::Sharpe, figures.sharpe_ratio, terms.sharpe_min, AtLeast),
        (Gate::WinRate, figures.win_rate, terms.win_rate_min, AtLeast),
        (Gate::ProfitFactor, figures.profit_factor, terms.profit_factor_min, AtLeast),
        (Gate::MaxDrawdown, figures.max_drawdown, terms.max_drawdown_max, AtMost),
        (Gate::Trades, figures.total_trades, trades_min, AtLeast),
    ]
    .into_iter()
    .filter_map(|(gate, figure, threshold, side)| Some(answer(gate, figures, figure, threshold?, side)))
    .collect()
}

fn answer(gate: Gate, figures: &PlainFigures, figure: Option<Figure>, threshold: f64, side: Side) -> GateAnswer {
    let margin = figure.map(|figure| match side {
        Side::AtLeast => figure.value - threshold,
        Side::AtMost => threshold - figure.value,
    });
    let outcome = match margin {
        Some(margin) if margin >= 0.0 => GateOutcome::Pass,
        Some(_) => GateOutcome::Fail,
        None => GateOutcome::NotEnoughData,
    };
    let reported = figure.is_some_and(|figure| figure.origin == FigureOrigin::Reported);
    let mut note = match figure.zip(margin) {
        Some((figure, margin)) => note(gate, figure.value, margin, threshold, side),
        None => missing(gate, figures),
    };
    if reported {
        note.push_str(" (as reported)");
    }
    GateAnswer { gate, value: figure.map(|figure| figure.value), threshold, margin, outcome, reported, note }
}

fn note(gate: Gate, value: f64, margin: f64, threshold: f64, side: Side) -> String {
    let (value, short, asked) = match gate {
        Gate::Trades => (format!("{value}"), format!("{}", margin.abs()), format!("{threshold}")),
        _ => (figure(value, threshold), figure(margin.abs(), 0.0), shown(threshold)),
    };
    let what = name(gate);
    match (side, margin >= 0.0) {
        (Side::AtLeast, true) => format!("{what} {value}: at least {asked} is asked for"),
        (Side::AtMost, true) => format!("{what} {value}: at most {asked} is let pass"),
        (Side::AtLeast, false) => format!("{what} {value}: {short} short of {asked}"),
        (Side::AtMost, false) => format!("{what} {value}: {short} more than {asked}"),
    }
}

fn name(gate: Gate) -> &'static str {
    match gate {
        Gate::Sharpe => "annual Sharpe ratio",
        Gate::WinRate => "win rate",
        Gate::ProfitFactor => "profit factor",
        Gate::MaxDrawdown => "largest drawdown",
        _ => "number of trades",
    }
}

/// Why there is no figure.
fn missing(gate: Gate, figures: &PlainFigures) -> String {
    // The one figure that returns always give.
    let has_returns = figures.max_drawdown.is_some_and(|figure| figure.origin == FigureOrigin::Computed);
    let why = match gate {
        Gate::Trades => "send the trades, or report total_trades",
        Gate::ProfitFactor if has_returns => "nothing was lost yet, so nothing shows what losses cost",
        _ if has_returns => "the returns do not vary",
        _ => "send returns or trades, or report it",
    };
    format!("{} unknown: {why}", name(gate))
}

/// Whether all of them let it pass.
pub fn passed(answers: &[GateAnswer]) -> bool {
    answers.iter().all(|answer| answer.outcome == GateOutcome::Pass)
}

/// What an evaluation failed on, in the predecessor's words: `Sharpe 0.600 < 1.0; WinRate 0.480 < 0.52`. Empty when it
/// passed.
pub fn failure_reason(answers: &[GateAnswer]) -> String {
    let reason = |answer: &GateAnswer| {
        let GateAnswer { gate, value, threshold, outcome, .. } = answer;
        let name = match gate {
            Gate::Sharpe => "Sharpe",
            Gate::WinRate => "WinRate",
            Gate::ProfitFactor => "ProfitFactor",
            Gate::MaxDrawdown => "MaxDD",
            Gate::Trades => "Trades",
            _ => return None,
        };
        let sign = if *gate == Gate::MaxDrawdown { '>' } else { '<' };
        match (outcome, value) {
            (GateOutcome::Pass, _) => None,
            (_, None) => Some(format!("{name} unknown")),
            (_, Some(trades)) if *gate == Gate::Trades => Some(format!("{name} {trades} {sign} {threshold}")),
            (_, Some(value)) => Some(format!("{name} {} {sign} {}", figure(*value, *threshold), shown(*threshold))),
        }
    };
    answers.iter().filter_map(reason).collect::<Vec<_>>().join("; ")
}
