//! What the pages of the registry have in common: names in paths, marks of versions, history in words.

use super::form::sentence;
use crate::app::App;
use crate::domain::health::State;
use crate::domain::model::{ArtifactState, HistoryEntry, ModelId, ModelStatus, Origin, Step, Version, VersionName};
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
