//! What the pages of the registry have in common: names in paths, marks of versions, history in words.

use super::form::sentence;
use super::show::{self, Given};
use crate::app::App;
use crate::domain::health::State;
use crate::domain::model::{
    ArtifactState, EvaluationKind, Figure, HistoryEntry, ModelId, ModelStatus, Origin, Step, Version, VersionName,
};
use crate::http::error::ApiError;

/// The model of a path. What cannot be one is one that is not there.
pub(in crate::http) fn model_id(text: &str) -> Result<ModelId, ApiError> {
    text.parse().map_err(|_| no_model())
}

/// The model and the version of a path.
pub(in crate::http) fn names((model, version): &(String, String)) -> Result<(ModelId, VersionName), ApiError> {
    Ok((model_id(model)?, version.parse().map_err(|_| no_version())?))
}

/// Nothing is there.
pub(in crate::http) fn no_model() -> ApiError {
    ApiError::NotFound("there is no such model".to_owned())
}

/// Nothing is there.
pub(in crate::http) fn no_version() -> ApiError {
    ApiError::NotFound("there is no such version".to_owned())
}

/// Whether an importer brought it.
pub(in crate::http) fn is_imported(version: &Version) -> bool {
    matches!(version.provenance.origin, Origin::Import(_))
}

/// What keeps a version's files from being used, in a word or two.
pub(in crate::http) fn damage(version: &Version) -> Option<&'static str> {
    match version.artifacts.as_ref().map(|artifacts| artifacts.state) {
        None | Some(ArtifactState::Sound) => None,
        Some(ArtifactState::Empty) => Some("empty artifact"),
        Some(ArtifactState::Gone) => Some("artifact gone"),
    }
}

/// What happened, in words.
pub(in crate::http) fn what(entry: &HistoryEntry) -> String {
    match &entry.step {
        Step::Registered => "registered".to_owned(),
        Step::Imported => "imported".to_owned(),
        Step::Evaluated => "evaluated".to_owned(),
        Step::Moved { to: ModelStatus::Failed, from } => format!("failed, was {from}"),
        Step::Moved { from, to } => format!("went from {from} to {to}"),
        Step::Promoted { previous, forced, .. } => {
            let how = if *forced { "promoted past its gates" } else { "promoted" };
            format!("{how}{}", in_place_of(previous.as_ref()))
        }
        Step::RolledBack { previous } => format!("brought back{}", in_place_of(previous.as_ref())),
        Step::ApprovalAsked => "approval asked for".to_owned(),
        Step::ApprovalDenied => "approval denied".to_owned(),
        Step::Deleted => "deleted".to_owned(),
    }
}

fn in_place_of(previous: Option<&VersionName>) -> String {
    previous.map_or_else(String::new, |previous| format!(", in place of {previous}"))
}

/// What keeps the production pointers on disk from saying what the data file says, with what to do about it.
pub(in crate::http) fn troubles(app: &App) -> Vec<String> {
    let parts = app.board.all().into_iter().filter(|part| part.name == "deployment" && part.state >= State::Warn);
    parts
        .map(|part| match part.remedy {
            Some(remedy) => format!("{} What to do: {remedy}.", sentence(part.summary)),
            None => sentence(part.summary),
        })
        .collect()
}

/// A kind of evaluation as people say it.
pub(in crate::http) fn kind(kind: impl Given<EvaluationKind>) -> &'static str {
    match kind.given() {
        EvaluationKind::Backtest => "backtest",
        EvaluationKind::ShadowTest => "shadow test",
        EvaluationKind::WalkForward => "walk forward",
        EvaluationKind::TrainingMetrics => "training metrics",
    }
}

/// A figure with so many digits, or a dash.
pub(in crate::http) fn plain(figure: &Option<Figure>, digits: usize) -> String {
    match figure {
        None => "–".to_owned(),
        Some(figure) if digits == 0 => show::count(figure.value.max(0.0).round() as u64),
        Some(figure) => show::signed(format!("{:.digits$}", figure.value)),
    }
}

/// A figure that is a share, or a dash.
pub(in crate::http) fn share(figure: &Option<Figure>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| show::percent(figure.value))
}

/// Days: whole ones as such.
pub(in crate::http) fn days(days: impl Given<f64>) -> String {
    let days = days.given();
    if days.fract() == 0.0 { format!("{days:.0}") } else { format!("{days:.1}") }
}

/// A figure of which nothing is known but its value: four digits that say something.
pub(in crate::http) fn plainly(value: impl Given<f64>) -> String {
    let value = value.given();
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e9).contains(&size) {
        format!("{value:.3e}")
    } else {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 7) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_any_size_can_be_read() {
        for (value, expect) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.1235"),
            (-1.449_9, "-1.45"),
            (1_234_567.8, "1234568"),
            (0.000_012, "1.200e-5"),
            (1e300, "1.000e300"),
        ] {
            assert_eq!(plainly(value), expect);
        }
    }
}
