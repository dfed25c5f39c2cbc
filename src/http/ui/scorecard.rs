//! What the gates say of a version, as a table: each gate once, below the goal that asks for it first.

use askama::Template;
use askama::filters::HtmlSafe;

use super::show::{self, Given};
use crate::domain::gates::{Gate, GateAnswer, GateOutcome, Goal, Trials, Verdict};
use crate::domain::performance::DAYS_A_YEAR;

/// The gates of a version, as the template `scorecard.html` writes them.
#[derive(Clone, Debug, Template)]
#[template(path = "scorecard.html")]
pub(in crate::http) struct Scorecard {
    parts: Vec<Part>,
    trials: Option<String>,
    wait: Option<String>,
}

/// The gates on the way to one goal.
#[derive(Clone, Debug)]
struct Part {
    goal: Goal,
    passed: bool,
    rows: Vec<GateRow>,
    /// Whether the goals before it ask for things, too.
    besides: bool,
}

#[derive(Clone, Debug)]
struct GateRow {
    name: &'static str,
    value: String,
    threshold: String,
    margin: String,
    outcome: GateOutcome,
    reported: bool,
    note: String,
}

// Notes may hold what came from outside; its own template escapes them.
impl HtmlSafe for Scorecard {}

impl Scorecard {
    /// From the verdicts in the order of the goals, each of which asks for what those before it ask for.
    pub(in crate::http) fn of(verdicts: &[Verdict]) -> Self {
        let mut seen: Vec<&GateAnswer> = Vec::new();
        let mut parts = Vec::new();
        for verdict in verdicts {
            // The same gate with another answer is shown again: it was asked of other figures.
            let fresh: Vec<&GateAnswer> = verdict.gates.iter().filter(|answer| !seen.contains(answer)).collect();
            let rows = fresh.iter().map(|answer| GateRow::of(answer)).collect();
            parts.push(Part { goal: verdict.goal, passed: verdict.passed, rows, besides: !seen.is_empty() });
            seen.extend(fresh);
        }
        let last = verdicts.iter().rev();
        Self {
            parts,
            trials: last.clone().find_map(|verdict| verdict.trials.as_ref()).map(trials),
            wait: verdicts.iter().find_map(wait),
        }
    }

    fn columns() -> usize {
        6
    }
}

impl Part {
    fn title(&self) -> String {
        let besides = if self.besides { ", besides" } else { "" };
        format!("For {}{besides}", goal(self.goal))
    }
}

impl GateRow {
    fn of(answer: &GateAnswer) -> Self {
        if answer.gate == Gate::Artifacts {
            let value = if answer.outcome == GateOutcome::Pass { "there" } else { "missing" };
            return Self {
                name: name(answer.gate),
                value: value.to_owned(),
                threshold: "there".to_owned(),
                margin: String::new(),
                outcome: answer.outcome,
                reported: false,
                note: answer.note.clone(),
            };
        }
        let (value, threshold) = match answer.value {
            Some(value) => told_apart(answer.gate, value, answer.threshold),
            None => (String::new(), figure(answer.gate, answer.threshold, 0)),
        };
        Self {
            name: name(answer.gate),
            value,
            threshold: format!("{} {threshold}", if is_ceiling(answer.gate) { "≤" } else { "≥" }),
            margin: answer.margin.map_or_else(String::new, |margin| signed(answer.gate, margin)),
            outcome: answer.outcome,
            reported: answer.reported,
            note: answer.note.clone(),
        }
    }
}

/// A figure and what it is held against: `1.45 (≥ 1.00)`.
pub(in crate::http) fn against(answer: &GateAnswer) -> String {
    let GateRow { value, threshold, .. } = GateRow::of(answer);
    if value.is_empty() { threshold } else { format!("{value} ({threshold})") }
}

/// A goal in lower case, as statuses are written.
pub(in crate::http) fn goal(goal: impl Given<Goal>) -> &'static str {
    match goal.given() {
        Goal::Shadow => "shadow",
        Goal::Candidate => "candidate",
        Goal::Production => "production",
    }
}

/// What a gate is called.
pub(in crate::http) fn name(gate: Gate) -> &'static str {
    match gate {
        Gate::Sharpe => "Sharpe ratio, annual",
        Gate::WinRate => "Win rate",
        Gate::ProfitFactor => "Profit factor",
        Gate::MaxDrawdown => "Largest drawdown",
        Gate::Trades => "Trades",
        Gate::Psr => "PSR(0), out of sample",
        Gate::Dsr => "Deflated Sharpe ratio (DSR)",
        Gate::PsrWithShadow => "PSR(0), with the shadow test",
        Gate::ShadowTrades => "Trades of the shadow test",
        Gate::ShadowDays => "Days of the shadow test",
        Gate::Artifacts => "Artifacts",
    }
}

/// The class of an outcome's badge, and its words.
pub(in crate::http) fn outcome(outcome: &GateOutcome) -> (&'static str, &'static str) {
    match outcome {
        GateOutcome::Pass => ("good", "pass"),
        GateOutcome::Fail => ("bad", "fail"),
        GateOutcome::NotEnoughData => ("warn", "not enough data"),
    }
}

fn is_share(gate: Gate) -> bool {
    matches!(gate, Gate::WinRate | Gate::MaxDrawdown | Gate::Psr | Gate::Dsr | Gate::PsrWithShadow)
}

fn is_ceiling(gate: Gate) -> bool {
    gate == Gate::MaxDrawdown
}

/// A gate's figure with `more` digits than usual.
fn figure(gate: Gate, value: f64, more: usize) -> String {
    match gate {
        Gate::Psr | Gate::Dsr | Gate::PsrWithShadow if more == 0 => show::probability(value),
        _ if is_share(gate) => show::signed(format!("{:.*}\u{a0}%", 1 + more, value * 100.0)),
        Gate::Sharpe | Gate::ProfitFactor => show::signed(format!("{value:.*}", 2 + more)),
        // Counts, unless somebody set half of one as a threshold.
        _ if value.fract() == 0.0 && value.abs() < 1e15 => show::count(value.abs() as u64),
        _ => show::signed(format!("{value:.*}", 1 + more)),
    }
}

/// Value and threshold with as many digits as it takes to see which of them is larger.
fn told_apart(gate: Gate, value: f64, threshold: f64) -> (String, String) {
    let both = |more| (figure(gate, value, more), figure(gate, threshold, more));
    (0..4).map(both).find(|(one, other)| one != other || value == threshold).unwrap_or_else(|| both(4))
}

/// A margin with its sign. That of shares is in percentage points.
fn signed(gate: Gate, margin: f64) -> String {
    let text = if is_share(gate) {
        format!("{:+.1}\u{a0}pp", margin * 100.0)
    } else if matches!(gate, Gate::Sharpe | Gate::ProfitFactor) {
        format!("{margin:+.2}")
    } else {
        format!("{margin:+.0}")
    };
    text.replace('-', "−")
}

/// The trials in words: what a person should know who wonders why so good a figure does not pass.
fn trials(trials: &Trials) -> String {
    let annual = trials.benchmark * DAYS_A_YEAR.sqrt();
    match trials.counted {
        0 | 1 => "One trial since the last promotion: nothing was chosen from, so the deflated Sharpe ratio is PSR(0)."
            .into(),
        counted => {
            let alike = match trials.correlation {
                Some(correlation) if trials.effective + 0.05 < f64::from(counted) => format!(
                    ", which count as {:.1}, because their returns are alike (correlation {} on average)",
                    trials.effective,
                    show::ratio(correlation)
                ),
                _ => String::new(),
            };
            format!(
                "{counted} trials since the last promotion{alike}. The best of so many would show an annual Sharpe ratio of \
                 {annual:.2} without any edge: that is what the deflated one is held against."
            )
        }
    }
}

fn wait(verdict: &Verdict) -> Option<String> {
    let days = verdict.wait_days?.ceil();
    let days = if days == 1.0 { "1 more day".to_owned() } else { format!("{} more days", show::count(days as u64)) };
    Some(format!(
        "Were the returns to go on as they are, {days} of them would open the gates of probability on the way to {}.",
        goal(verdict.goal)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(gate: Gate, value: f64, threshold: f64) -> GateAnswer {
        let outcome = if value >= threshold { GateOutcome::Pass } else { GateOutcome::Fail };
        let note = String::new();
        GateAnswer {
            gate,
            value: Some(value),
            threshold,
            margin: Some(value - threshold),
            outcome,
            reported: false,
            note,
        }
    }

    #[test]
    fn a_figure_just_below_its_gate_is_seen_to_be_below_it() {
        for (gate, value, threshold, expect) in [
            (Gate::Psr, 0.9496, 0.95, ("94.96\u{a0}%", "≥ 95.00\u{a0}%", "−0.0\u{a0}pp")),
            (Gate::Psr, 0.5, 0.95, ("50.0\u{a0}%", "≥ 95.0\u{a0}%", "−45.0\u{a0}pp")),
            (Gate::Sharpe, 0.9999, 1.0, ("0.9999", "≥ 1.0000", "−0.00")),
            (Gate::Sharpe, 1.0, 1.0, ("1.00", "≥ 1.00", "+0.00")),
            (Gate::Trades, 1_049.0, 50.0, ("1,049", "≥ 50", "+999")),
            (Gate::MaxDrawdown, 0.08, 0.15, ("8.0\u{a0}%", "≤ 15.0\u{a0}%", "−7.0\u{a0}pp")),
        ] {
            let row = GateRow::of(&answer(gate, value, threshold));
            assert_eq!((row.value.as_str(), row.threshold.as_str(), row.margin.as_str()), expect, "{gate:?} {value}");
        }
    }

    #[test]
    fn each_gate_stands_where_it_is_asked_for_first() {
        let (sharpe, psr) = (answer(Gate::Sharpe, 1.2, 1.0), answer(Gate::Psr, 0.9, 0.95));
        let verdict = |goal, gates: &[&GateAnswer], wait_days| Verdict {
            goal,
            gates: gates.iter().copied().cloned().collect(),
            passed: true,
            score: 60.0,
            trials: None,
            wait_days,
        };
        let card = Scorecard::of(&[
            verdict(Goal::Shadow, &[&sharpe], None),
            verdict(Goal::Candidate, &[&sharpe, &psr], Some(40.2)),
            verdict(Goal::Production, &[&sharpe, &psr], Some(90.0)),
        ]);
        let rows: Vec<_> = card.parts.iter().map(|part| part.rows.len()).collect();
        assert_eq!(rows, [1, 1, 0]);
        assert_eq!(card.parts[1].title(), "For candidate, besides");
        assert!(card.wait.as_deref().is_some_and(|wait| wait.contains("41 more days")), "{:?}", card.wait);
    }
}
