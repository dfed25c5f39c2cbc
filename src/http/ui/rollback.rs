//! `/models/{model}/rollback`: back to what was in production before, whatever the gates say.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::act::{Act, ActForm, Asker, Chance, Sent, reason};
use super::consequences::Change;
use super::done::done;
use super::form::Form;
use super::promote::carry_out;
use super::registry::model_id;
use super::{links, show};
use crate::app::App;
use crate::app::registry::{ModelDetail, RegistryError, Target, VersionQuery};
use crate::domain::model::{ArtifactState, ModelId, ModelStatus, Version, VersionName};
use crate::domain::role::Role;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/models/{model}/rollback", Role::Operator, ask),
        Route::form("/models/{model}/rollback", Role::Operator, roll_back),
    ]
}

/// Versions to choose from, the newest.
const CHOICES: usize = 30;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    to: String,
}

struct Seen {
    detail: ModelDetail,
    /// What was in production before, the one that left it last first.
    retired: Vec<Version>,
}

impl Seen {
    async fn find(app: &App, id: &ModelId) -> Result<Self, ApiError> {
        let (registry, id) = (app.registry.clone(), id.clone());
        let look = move || {
            let detail = registry.model(&id, observe::now())?;
            let query = VersionQuery {
                model: Some(id),
                status: Some(ModelStatus::Retired),
                limit: Some(1_000),
                ..VersionQuery::default()
            };
            let rows = registry.versions(&query).map_err(|error| RegistryError::Conflict(error.to_string()))?.rows;
            let mut retired: Vec<Version> = rows.into_iter().map(|row| row.version).collect();
            retired.sort_by_key(|version| std::cmp::Reverse(version.retired_at));
            Ok::<_, RegistryError>(Self { detail, retired })
        };
        blocking(look).await
    }

    fn page(mut self, app: &App, asker: &Asker, to: &str, why: &str, misfit: &str) -> Act {
        let ModelDetail { model, production, before, .. } = &self.detail;
        let mut act = Act::about(format!("Roll back {}?", model.id), &asker.caller, model, None);
        if self.retired.is_empty() {
            act.refusal = Some("There is nothing to go back to: nothing else was in production yet.".to_owned());
            return act;
        }
        let asked: Option<VersionName> = to.parse().ok();
        let is =
            |name: Option<&VersionName>| name.and_then(|name| self.retired.iter().position(|one| one.name == *name));
        let chosen = is(asked.as_ref()).or_else(|| is(before.as_ref())).unwrap_or(0);
        // What is asked for is seen, however long ago it was.
        if chosen >= CHOICES {
            let version = self.retired.remove(chosen);
            self.retired.insert(0, version);
        }
        let chosen = if chosen >= CHOICES { 0 } else { chosen };
        self.retired.truncate(CHOICES);
        let change = Change {
            config: &app.config,
            model,
            coming: None,
            leaving: production.as_ref(),
            event: "clm.model_rollback",
            now: observe::now(),
        };
        act.consequences = change.sentences();
        act.consequences
            .push("Gates are not asked, and nobody has to approve: going back is always possible.".to_owned());
        let choice = |(at, version): (usize, &Version)| Chance {
            value: version.name.to_string(),
            words: version.name.to_string(),
            detail: told(version, before.as_ref()),
            chosen: at == chosen,
        };
        act.forms.push(ActForm {
            action: links::rollback(&model.id),
            choices: self.retired.iter().enumerate().map(choice).collect(),
            legend: "Back to",
            why: reason(why, misfit),
            tick: None,
            button: "Roll back",
            danger: false,
        });
        act
    }
}

/// What there is to know of a version before one goes back to it.
fn told(version: &Version, before: Option<&VersionName>) -> String {
    let day = |at: crate::domain::time::Micros| at.datetime().format("%Y-%m-%d %H:%M").to_string();
    let mut parts = Vec::new();
    if before == Some(&version.name) {
        parts.push("the one before".to_owned());
    }
    if let (Some(from), Some(until)) = (version.promoted_at, version.retired_at) {
        parts.push(format!("in production from {} to {}", day(from), day(until)));
    }
    if let Some(score) = version.score {
        parts.push(format!("score {}", show::score(score)));
    }
    if !version.forced.is_empty() {
        parts.push("was promoted past its gates".to_owned());
    }
    match version.artifacts.as_ref().map(|artifacts| artifacts.state) {
        Some(ArtifactState::Sound) => {}
        Some(ArtifactState::Empty) => parts.push("a file of it is empty".to_owned()),
        Some(ArtifactState::Gone) | None => parts.push("its files are gone".to_owned()),
    }
    parts.join(", ")
}

async fn ask(
    State(app): State<App>,
    asker: Asker,
    PathPart(id): PathPart<String>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let id = model_id(&id)?;
    Ok(Seen::find(&app, &id).await?.page(&app, &asker, &query.to, "", "").page())
}

async fn roll_back(
    State(app): State<App>,
    asker: Asker,
    PathPart(id): PathPart<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let id = model_id(&id)?;
    let (ask, registry) = (sent.ask(&asker)?, app.registry.clone());
    let target = match sent.to.as_str() {
        "" => Target::Before,
        name => Target::Version(name.parse().map_err(|_| super::registry::no_version())?),
    };
    let (model, why) = (id.clone(), sent.why.clone());
    match carry_out(move || registry.roll_back(&ask, &model, &target, &why)).await? {
        Ok(back) => {
            let word = if back.warning.is_some() { "rolled-back-only" } else { "rolled-back" };
            Ok(done(&links::model(&id), word))
        }
        Err(refused) => {
            let act = Seen::find(&app, &id).await?.page(&app, &asker, &sent.to, &sent.why, refused.misfit());
            Ok(refused.onto(act))
        }
    }
}
