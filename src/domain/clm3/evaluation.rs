use super::field::Fields;
use super::json::Json;
use super::record::{EvaluationRecord, ReportedFigures, Source};
use super::version::agrees;
use crate::domain::model::{EvaluationKind, ModelId, VersionName};

/// Any figure that is finite.
const ANY: (f64, f64) = (f64::MIN, f64::MAX);

/// A figure that is never negative.
const POSITIVE: (f64, f64) = (0.0, f64::MAX);

/// A share: a drawdown of -0.3 would pass a gate that asks for at most 0.15, and a win rate of 52 one that asks for 0.52.
const SHARE: (f64, f64) = (0.0, 1.0);

/// Reads `evaluations/<model>/<name>.json`, whose name is `<version>_<id>`.
pub(super) fn read(
    source: Source,
    (model, name): (&ModelId, &str),
    json: &Json,
) -> Result<(EvaluationRecord, Vec<String>), String> {
    let mut fields = Fields::of(json)?;
    agrees(&mut fields, "model_id", model.as_str(), "the directory")?;
    let (version, id) = names(&mut fields, name)?;
    let kind = kind(&mut fields)?;
    let mut figure = |name, (least, most)| fields.figure(name, least, most);
    let figures = ReportedFigures {
        total_trades: figure("total_trades", POSITIVE),
        win_rate: figure("win_rate", SHARE),
        profit_factor: figure("profit_factor", POSITIVE),
        sharpe_ratio: figure("sharpe_ratio", ANY),
        sortino_ratio: figure("sortino_ratio", ANY),
        calmar_ratio: figure("calmar_ratio", ANY),
        max_drawdown: figure("max_drawdown", SHARE),
        avg_win: figure("avg_win", ANY),
        avg_loss: figure("avg_loss", ANY),
        total_pnl: figure("total_pnl", ANY),
        risk_adjusted_return: figure("risk_adjusted_return", ANY),
    };
    let period_days = figure("evaluation_period_days", POSITIVE).unwrap_or_default();
    let passed = match fields.get("passed") {
        Some(Json::Bool(passed)) => Some(*passed),
        _ => None,
    };
    let at = fields.time("evaluated_at");
    Ok((EvaluationRecord { source, id, version, kind, at, period_days, figures, passed }, fields.notes))
}

/// The version and the id, which the file's name holds too.
fn names(fields: &mut Fields<'_>, name: &str) -> Result<(VersionName, String), String> {
    let (version, id) = match (fields.text("version"), fields.text("id")) {
        (Some(version), Some(id)) => {
            let expected = format!("{version}_{id}");
            if expected != name {
                let found = format!("it says version {version:?} and id {id:?}, but the file's name says {name:?}");
                return Err(format!("{found}: put it in its place, or mend it"));
            }
            (version, id)
        }
        // A version's name may have underscores, an id of the predecessor has none.
        _ => match name.rsplit_once('_') {
            Some((version, id)) if !version.is_empty() && !id.is_empty() => {
                agrees(fields, "version", version, "the file's name")?;
                agrees(fields, "id", id, "the file's name")?;
                (version.to_owned(), id.to_owned())
            }
            _ => return Err("neither the file nor its name tells version and id".to_owned()),
        },
    };
    Ok((version.parse().map_err(|error| format!("{error}"))?, id))
}

fn kind(fields: &mut Fields<'_>) -> Result<EvaluationKind, String> {
    use EvaluationKind::{Backtest, ShadowTest, TrainingMetrics, WalkForward};
    let Some(word) = fields.word("evaluation_type") else {
        fields.notes.push("it does not say its evaluation_type: backtest, which the predecessor assumed".to_owned());
        return Ok(Backtest);
    };
    let all = [Backtest, ShadowTest, WalkForward, TrainingMetrics];
    let known = all.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| {
        let all: Vec<_> = all.iter().map(|kind| kind.as_str()).collect();
        format!("its evaluation_type is {word:?}, which is none of {}", all.join(", "))
    })
}
