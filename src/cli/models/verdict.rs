//! What the gates say, as commands show it.

use super::number;
use crate::cli::output::{Screen, Style, Table};
use crate::domain::gates::{GateAnswer, GateOutcome, Verdict};

/// A line for each goal, and each gate once: what leads further asks for everything that leads less far, and for more.
pub(super) fn shown(verdicts: &[Verdict], screen: &Screen) -> String {
    let mut text = String::new();
    let mut table = Table::new(&["FOR", "GATE", "VALUE", "THRESHOLD", "MARGIN", "SAYS", "WHY"]);
    let mut seen = Vec::new();
    for verdict in verdicts {
        let (summary, style) = summary(verdict);
        text.push_str(&format!("{}\n", screen.styled(&summary, style)));
        for answer in &verdict.gates {
            if !seen.contains(&answer.gate) {
                seen.push(answer.gate);
                row(&mut table, verdict.goal.as_str(), answer);
            }
        }
    }
    text.push('\n');
    text.push_str(&table.render(screen));
    text
}

fn row(table: &mut Table, goal: &str, answer: &GateAnswer) {
    let GateAnswer { value, threshold, margin, outcome, reported, note, .. } = answer;
    let (says, style) = match outcome {
        GateOutcome::Pass => ("pass", Style::Good),
        GateOutcome::Fail => ("fail", Style::Bad),
        GateOutcome::NotEnoughData => ("not enough data", Style::Warning),
    };
    let value = match (value, reported) {
        (Some(value), true) => format!("{} (reported)", number(*value)),
        (Some(value), false) => number(*value),
        (None, _) => String::new(),
    };
    let sign = |margin: f64| if margin > 0.0 { "+" } else { "" };
    let margin = margin.map(|margin| format!("{}{}", sign(margin), number(margin))).unwrap_or_default();
    table.row([
        (goal, Style::Faint),
        (answer.gate.as_str(), Style::Plain),
        (value.as_str(), Style::Plain),
        (number(*threshold).as_str(), Style::Plain),
        (margin.as_str(), Style::Plain),
        (says, style),
        (note.as_str(), Style::Plain),
    ]);
}

/// How it ends, and how much longer to wait.
fn summary(verdict: &Verdict) -> (String, Style) {
    let goal = verdict.goal.as_str();
    let wait = verdict.wait_days.map(|days| format!(", about {:.0} days more", days.ceil())).unwrap_or_default();
    if verdict.passed {
        (format!("fit for {goal}, score {:.1}", verdict.score), Style::Good)
    } else {
        (format!("not fit for {goal}, score {:.1}{wait}", verdict.score), Style::Bad)
    }
}
