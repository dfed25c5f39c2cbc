//! What the gates say, as commands show it.

use crate::cli::output::{Style, Table};
use crate::domain::gates::{GateAnswer, GateOutcome, Verdict};

/// The gates of one verdict, in a table of their own.
pub(super) fn table(verdict: &Verdict) -> Table {
    let mut table = Table::new(&["GATE", "VALUE", "THRESHOLD", "MARGIN", "SAYS", "WHY"]);
    for answer in &verdict.gates {
        let GateAnswer { value, threshold, margin, outcome, reported, note, .. } = answer;
        let (says, style) = match outcome {
            GateOutcome::Pass => ("pass", Style::Good),
            GateOutcome::Fail => ("fail", Style::Bad),
            GateOutcome::NotEnoughData => ("not enough data", Style::Warning),
        };
        let value = match (value, reported) {
            (Some(value), true) => format!("{value:.4} (reported)"),
            (Some(value), false) => format!("{value:.4}"),
            (None, _) => String::new(),
        };
        table.row([
            (answer.gate.as_str(), Style::Plain),
            (value.as_str(), Style::Plain),
            (format!("{threshold}").as_str(), Style::Plain),
            (margin.map(|margin| format!("{margin:+.4}")).unwrap_or_default().as_str(), Style::Plain),
            (says, style),
            (note.as_str(), Style::Plain),
        ]);
    }
    table
}

/// How it ends, and how much longer to wait.
pub(super) fn summary(verdict: &Verdict) -> (String, Style) {
    let goal = verdict.goal.as_str();
    let wait = verdict.wait_days.map(|days| format!(", about {:.0} days more", days.ceil())).unwrap_or_default();
    if verdict.passed {
        (format!("fit for {goal}, score {:.1}", verdict.score), Style::Good)
    } else {
        (format!("not fit for {goal}, score {:.1}{wait}", verdict.score), Style::Bad)
    }
}
