//! What an answer says, in lines for people who try their programs.

use std::collections::BTreeMap;

use chrono::SecondsFormat;

use crate::domain::adapter::{Answer, DataRange, DataResult, TrainResult};
use crate::domain::gates::{Terms, failure_reason, passed, plain};
use crate::domain::model::{Digest, Figure, FigureOrigin};
use crate::domain::performance::{EvaluationInput, evaluate};
use crate::domain::time::Micros;

/// Of importances, as many are told as people look at.
const IMPORTANCES: usize = 5;

/// The lines. `terms` are those of the gates that an evaluation is held against first.
pub(super) fn summary(
    answer: &Answer,
    artifacts: &BTreeMap<String, Digest>,
    terms: &Terms,
    now: Micros,
) -> Vec<String> {
    match answer {
        Answer::Data(data) => of_data(data),
        Answer::Train(train) => of_training(train, artifacts),
        Answer::Evaluate(input) => of_evaluation(input, terms, now),
        Answer::Hook(hook) => hook.message.iter().cloned().collect(),
    }
}

fn of_data(data: &DataResult) -> Vec<String> {
    let mut lines = vec![format!("{} rows, {}", data.rows, range(&data.data_range))];
    if !data.symbols.is_empty() {
        lines.push(format!("symbols {}", data.symbols.join(", ")));
    }
    lines.extend(data.files.iter().map(|path| format!("file {path}")));
    lines
}

fn of_training(train: &TrainResult, artifacts: &BTreeMap<String, Digest>) -> Vec<String> {
    let mut lines = vec![format!("{} features, {}", train.feature_count, range(&train.data_range))];
    lines.extend(artifacts.iter().map(|(path, digest)| format!("artifact {path}, SHA-256 {digest}")));
    lines.extend(metrics("training", &train.train_metrics));
    lines.extend(metrics("validation", &train.validation_metrics));
    if !train.feature_importances.is_empty() {
        let mut by_weight: Vec<_> = train.feature_importances.iter().collect();
        by_weight.sort_by(|one, other| other.1.total_cmp(one.1).then(one.0.cmp(other.0)));
        let most: Vec<_> =
            by_weight.iter().take(IMPORTANCES).map(|(name, weight)| format!("{name} {}", short(**weight))).collect();
        let method = train.importance_method.as_deref().unwrap_or("of a method that is not named");
        lines.push(format!("importances ({method}): {}", most.join(", ")));
    }
    lines
}

fn of_evaluation(input: &EvaluationInput, terms: &Terms, now: Micros) -> Vec<String> {
    // What was checked can be evaluated.
    let Ok(evaluated) = evaluate(input, now) else { return Vec::new() };
    let figures = &evaluated.figures.plain;
    let mut lines = vec![format!("{} over {} days", input.kind.as_str(), short(evaluated.period_days))];
    let told: Vec<_> = [
        ("trades", figures.total_trades),
        ("Sharpe ratio", figures.sharpe_ratio),
        ("win rate", figures.win_rate),
        ("profit factor", figures.profit_factor),
        ("largest drawdown", figures.max_drawdown),
        ("return", figures.total_pnl),
    ]
    .into_iter()
    .filter_map(|(name, figure)| figure.map(|figure| format!("{name} {}", shown(figure))))
    .collect();
    lines.push(told.join(", "));
    let answers = plain(figures, terms);
    lines.push(if passed(&answers) {
        "it would pass the plain gates".to_owned()
    } else {
        format!("it would fail the plain gates: {}", failure_reason(&answers))
    });
    lines
}

fn range(range: &DataRange) -> String {
    let shown = |at: Micros| at.datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("{} to {}", shown(range.from), shown(range.until))
}

fn metrics(of: &str, metrics: &BTreeMap<String, f64>) -> Option<String> {
    let told: Vec<_> = metrics.iter().map(|(name, value)| format!("{name} {}", short(*value))).collect();
    (!told.is_empty()).then(|| format!("{of}: {}", told.join(", ")))
}

fn shown(figure: Figure) -> String {
    match figure.origin {
        FigureOrigin::Computed => short(figure.value),
        FigureOrigin::Reported => format!("{} (reported)", short(figure.value)),
    }
}

/// Four digits behind the point at most, and none that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::adapter;
    use crate::domain::job::Program;

    const NOW: Micros = Micros(1_768_621_566_000_000);

    fn told(program: Program, result: &Value) -> Vec<String> {
        let answer = adapter::check(program, result.to_string().as_bytes(), NOW).unwrap();
        let artifacts = BTreeMap::from([("model.bin".to_owned(), Digest([0xab; 32]))]);
        summary(&answer, &artifacts, &Terms::default(), NOW)
    }

    #[test]
    fn what_each_program_answered() {
        let range = json!({ "from": "2025-01-01T00:00:00Z", "until": "2025-12-01T00:00:00Z" });
        let shown = "2025-01-01T00:00:00Z to 2025-12-01T00:00:00Z";
        let data = json!({ "data_range": range, "rows": 7, "files": ["bars.csv"], "symbols": ["BTC", "ETH"] });
        assert_eq!(told(Program::Data, &data), [&format!("7 rows, {shown}"), "symbols BTC, ETH", "file bars.csv"]);
        let train = json!({
            "artifacts": ["model.bin"], "train_metrics": { "auc": 0.75 }, "feature_count": 2, "data_range": range,
            "feature_importances": { "a": 0.1, "b": 0.9 }, "importance_method": "shap",
        });
        assert_eq!(
            told(Program::Train, &train),
            [
                format!("2 features, {shown}"),
                format!("artifact model.bin, SHA-256 {}", "ab".repeat(32)),
                "training: auc 0.75".into(),
                "importances (shap): b 0.9, a 0.1".into(),
            ]
        );
    }

    #[test]
    fn an_evaluation_is_held_against_the_plain_gates() {
        let returns = json!({
            "kind": "walk_forward", "returns": { "first_day": "2025-06-02", "values": [0.01, -0.004, 0.006] },
            "metrics": { "total_trades": 60 },
        });
        let lines = told(Program::Evaluate, &returns);
        assert_eq!(lines[0], "walk_forward over 3 days");
        assert!(lines[1].starts_with("trades 60 (reported), Sharpe ratio "), "{lines:?}");
        assert!(lines[2].starts_with("it would "), "{lines:?}");
        let few = json!({ "kind": "backtest", "trades": [{ "closed_at": "2025-06-02T00:00:00Z", "return": -0.01 }] });
        let lines = told(Program::Evaluate, &few);
        assert!(
            lines[2].starts_with("it would fail the plain gates: ") && lines[2].contains("Trades 1 < 50"),
            "{lines:?}"
        );
    }
}
