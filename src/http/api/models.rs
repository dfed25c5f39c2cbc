use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use serde_json::json;

use super::blocking;
use super::examples::registry as examples;
use crate::app::App;
use crate::app::answers::registry::{ModelDetailAnswer, ModelPage, RolledBackAnswer};
use crate::app::registry::{Ask, Expected, ModelQuery, RegistryError, Target};
use crate::domain::access::Actor;
use crate::domain::model::ModelId;
use crate::domain::request_key::RequestKey;
use crate::http::doc::Doc;
use crate::http::error::{ApiError, Misfit};
use crate::http::extract::{Body, IfMatch, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/models", Role::Viewer, list).doc(
            Doc::new("models", "List models").query::<ModelQuery>().answer::<ModelPage>(
                200,
                "A page of models, each with what is in production.",
                json!({ "models": [examples::model()], "next": null }),
            ),
        ),
        Route::get("/api/models/{id}", Role::Viewer, show).doc(
            one("One model").about("Its `ETag` is what `If-Match` takes.").answer::<ModelDetailAnswer>(
                200,
                "The model, and what is under way.",
                examples::model_detail(),
            ),
        ),
        Route::post("/api/models/{id}/rollback", Role::Operator, roll_back).doc(
            one("Put a version back into production")
                .about(
                    "`target` is a version that is retired or, without effect, in production; or `before`: what was in \
                     production when the present version was promoted. Gates and approvals are not asked: this is always \
                     possible.",
                )
                .once()
                .if_unchanged()
                .body::<Rollback>(json!({ "target": "before", "why": "drawdown of 9 % since midnight" }))
                .answer::<RolledBackAnswer>(200, "What is in production now.", examples::rolled_back()),
        ),
    ]
}

/// An operation about one model.
pub(super) fn one(summary: &'static str) -> Doc {
    Doc::new("models", summary)
        .path::<ModelId>("id", "The model's id.", examples::MODEL)
        .refuses(404, "There is no such model, or nothing of this name in it.")
}

async fn list(State(app): State<App>, Params(query): Params<ModelQuery>) -> Result<Json<ModelPage>, ApiError> {
    Ok(Json(blocking(move || ModelPage::find(&app.registry, &query)).await?))
}

/// An answer with the model's revision as its `ETag`.
pub(super) type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// Puts the revision beside the answer.
pub(super) fn tagged<T>(revision: &str, answer: T) -> Result<Tagged<T>, ApiError> {
    let tag = HeaderValue::try_from(format!("\"{revision}\"")).map_err(ApiError::internal)?;
    Ok(([(header::ETAG, tag)], Json(answer)))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<ModelId>) -> Result<Tagged<ModelDetailAnswer>, ApiError> {
    let detail = blocking(move || ModelDetailAnswer::find(&app.registry, &id, now())).await?;
    tagged(&detail.model.revision.clone(), detail)
}

/// Who asks for a change, and under which terms.
pub(super) fn ask(caller: &Caller, actor: Actor, key: Option<RequestKey>, expected: Option<Expected>) -> Ask {
    Ask { actor, grant: caller.grant, now: now(), key, expected }
}

/// A rollback.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    /// The version's name, or `before`.
    #[serde(deserialize_with = "target")]
    #[schemars(with = "String", length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    target: Target,
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "before" {
        return Ok(Target::Before);
    }
    text.parse().map(Target::Version).map_err(de::Error::custom)
}

async fn roll_back(
    State(app): State<App>,
    PathPart(id): PathPart<ModelId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(Rollback { target, why }): Body<Rollback>,
) -> Result<Tagged<RolledBackAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let by = ask.actor.name.clone();
    let done = blocking(move || app.registry.roll_back(&ask, &id, &target, &why)).await?;
    let answer = RolledBackAnswer::of(done, &by);
    tagged(&answer.revision.clone(), answer)
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        let words = error.to_string();
        match error {
            RegistryError::NoModel(_) | RegistryError::NoVersion(..) | RegistryError::NoEvaluation(..) => {
                Self::NotFound(words)
            }
            // Fields are called as requests call them.
            RegistryError::Bad { field, why } => {
                let field = field.strip_prefix("provenance.").unwrap_or(&field);
                Self::unfit("body", if field == "origin" { "job" } else { field }, why)
            }
            RegistryError::Misfits(misfits) => Self::Unfit(
                misfits
                    .into_iter()
                    .map(|misfit| {
                        let parts = misfit.field.split('.').filter(|part| !part.is_empty()).map(str::to_owned);
                        let loc = std::iter::once("body".to_owned()).chain(parts).collect();
                        Misfit { loc, msg: misfit.why, r#type: "value_error".to_owned() }
                    })
                    .collect(),
            ),
            RegistryError::Name(_) => Self::unfit("body", "", words),
            RegistryError::Gates(_) => Self::Refused(words),
            RegistryError::Manifest(_) => Self::Refused(words),
            RegistryError::Deleted(_)
            | RegistryError::NoWay(_)
            | RegistryError::Changed(_)
            | RegistryError::Conflict(_)
            | RegistryError::KeyUsed(_) => Self::Conflict(words),
            RegistryError::Forbidden(_) => Self::Forbidden(words),
            RegistryError::File { .. } | RegistryError::Answer(_) => Self::internal(error),
            RegistryError::Store(error) => error.into(),
        }
    }
}
