use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::artifacts::READING;
use super::blocking;
use super::examples::registry as examples;
use super::models::{Tagged, ask, tagged};
use super::versions::version;
use crate::app::App;
use crate::app::answers::registry::{MovedAnswer, PromotedAnswer, WaitingAnswer, WaitsFor};
use crate::app::registry::Promoted;
use crate::domain::access::Actor;
use crate::domain::model::{ModelId, VersionName};
use crate::http::error::ApiError;
use crate::http::extract::{Body, IfMatch, Key, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::post("/api/models/{id}/versions/{version}/promote", Role::Operator, promote).answers_within(READING).doc(
            version("Put a version into production")
                .about(
                    "Through its gates; or past them with `force`, which asks for an admin and a reason of 20 characters, and \
                     is marked for ever. Where `promotion.approval` is on, it waits for a second person.",
                )
                .once()
                .if_unchanged()
                .body::<Promote>(json!({ "why": "two weeks of shadow without a surprise", "force": false }))
                .answer::<PromotedAnswer>(200, "It is in production.", examples::promoted())
                .answer::<WaitingAnswer>(202, "It waits for a second person.", examples::waiting())
                .refuses(400, "Its gates are closed; the detail says which, and why."),
        ),
        Route::post("/api/models/{id}/versions/{version}/approve", Role::Operator, approve).answers_within(READING).doc(
            version("Approve a promotion that somebody else asked for")
                .about("Who asked cannot approve, nor can a token. The gates are asked anew.")
                .once()
                .if_unchanged()
                .body::<Approve>(json!({ "why": "looked at the shadow trades" }))
                .answer::<PromotedAnswer>(200, "It is in production.", examples::promoted())
                .refuses(400, "Its gates have closed meanwhile."),
        ),
        Route::post("/api/models/{id}/versions/{version}/deny", Role::Operator, deny).doc(
            version("Refuse a promotion that waits, or withdraw one's own")
                .once()
                .if_unchanged()
                .body::<Deny>(json!({ "why": "not before the exchange's maintenance" }))
                .answer::<MovedAnswer>(200, "The version, where it stands.", examples::moved()),
        ),
    ]
}

/// A promotion.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Promote {
    /// For those who come after; 20 characters at least with `force`.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
    /// Past its gates.
    #[serde(default)]
    force: bool,
}

async fn promote(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(Promote { why, force }): Body<Promote>,
) -> Result<Response, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let by = ask.actor.name.clone();
    let done = blocking(move || app.registry.promote(&ask, &model, &name, &why, force)).await?;
    told(done, by)
}

/// 200 with what happened, 202 with what it waits for.
fn told(done: Promoted, by: String) -> Result<Response, ApiError> {
    match done {
        Promoted::Done { model, version, previous, forced, revision, warning } => {
            let revision = crate::app::answers::registry::revision(revision);
            let answer = PromotedAnswer {
                success: true,
                model_id: model,
                version,
                previous,
                forced,
                promoted_by: by,
                revision: revision.clone(),
                warning,
            };
            Ok(tagged(&revision, answer)?.into_response())
        }
        Promoted::Waiting { model, version, asked_by, expires_at, revision } => {
            let revision = crate::app::answers::registry::revision(revision);
            let answer = WaitingAnswer {
                success: false,
                model_id: model,
                version,
                approval: WaitsFor { asked_by, expires_at },
                revision: revision.clone(),
            };
            Ok((StatusCode::ACCEPTED, tagged(&revision, answer)?).into_response())
        }
    }
}

/// An approval.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Approve {
    /// For those who come after, where there is something to say.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    why: String,
}

async fn approve(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(Approve { why }): Body<Approve>,
) -> Result<Response, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let by = ask.actor.name.clone();
    let done = blocking(move || app.registry.approve(&ask, &model, &name, &why)).await?;
    told(done, by)
}

/// A refusal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deny {
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn deny(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(Deny { why }): Body<Deny>,
) -> Result<Tagged<MovedAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let answer = MovedAnswer::from(blocking(move || app.registry.deny(&ask, &model, &name, &why)).await?);
    tagged(&answer.revision.clone(), answer)
}
