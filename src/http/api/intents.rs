use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::{IntentAnswer, IntentDetail, IntentPage, IntentQuery};
use crate::app::intents::{self, IntentError, Move};
use crate::domain::access::Actor;
use crate::domain::id::IntentId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Key, Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/intents", Role::Viewer, list).doc(
            Doc::new("intents", "List intents").query::<IntentQuery>().answer::<IntentPage>(
                200,
                "A page of intents, the newest first.",
                json!({ "intents": [examples::intent()], "next": null }),
            ),
        ),
        Route::get("/api/intents/{id}", Role::Viewer, show).doc(
            one("One intent with its history and its evidence").answer::<IntentDetail>(
                200,
                "The intent, what happened to it, and what it rests on.",
                examples::intent_detail(),
            ),
        ),
        Route::post("/api/intents/{id}/ack", Role::Operator, acknowledge).doc(
            verdict("Acknowledge an intent").about("Somebody has it.").answer::<IntentAnswer>(
                200,
                "The intent as it is now.",
                examples::acknowledged(),
            ),
        ),
        Route::post("/api/intents/{id}/resolve", Role::Operator, resolve).doc(
            verdict("Resolve an intent").about("It is over, and stays so for its window.").answer::<IntentAnswer>(
                200,
                "The intent as it is now.",
                examples::resolved(),
            ),
        ),
    ]
}

fn one(summary: &'static str) -> Doc {
    Doc::new("intents", summary)
        .path::<IntentId>("id", "The intent's number.", 17)
        .refuses(404, "There is no such intent.")
}

fn verdict(summary: &'static str) -> Doc {
    one(summary).once().body::<Verdict>(json!({ "why": "exchange maintenance, back at 04:00" }))
}

async fn list(State(app): State<App>, Params(query): Params<IntentQuery>) -> Result<Json<IntentPage>, ApiError> {
    Ok(Json(blocking(move || IntentPage::find(&app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<IntentId>) -> Result<Json<IntentDetail>, ApiError> {
    let detail = blocking(move || IntentDetail::find(&app.store, &app.config.rules, id, now())).await?;
    Ok(Json(detail.ok_or(IntentError::Unknown(id))?))
}

/// Why somebody does something with an intent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verdict {
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn acknowledge(
    State(app): State<App>,
    PathPart(id): PathPart<IntentId>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    Body(Verdict { why }): Body<Verdict>,
) -> Result<Json<IntentAnswer>, ApiError> {
    let step = move || intents::carry_out(&app.store, id, Move::Acknowledge, &actor, &why, key.as_ref(), now());
    Ok(Json(blocking(step).await?))
}

async fn resolve(
    State(app): State<App>,
    PathPart(id): PathPart<IntentId>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    Body(Verdict { why }): Body<Verdict>,
) -> Result<Json<IntentAnswer>, ApiError> {
    let step = move || intents::carry_out(&app.store, id, Move::Resolve, &actor, &why, key.as_ref(), now());
    Ok(Json(blocking(step).await?))
}

impl From<IntentError> for ApiError {
    fn from(error: IntentError) -> Self {
        match error {
            IntentError::Unknown(_) => Self::NotFound(error.to_string()),
            IntentError::Why => Self::unfit("body", "why", error.to_string()),
            IntentError::Move(_) | IntentError::KeyUsed(_) => Self::Conflict(error.to_string()),
            IntentError::Store(error) => error.into(),
            IntentError::Answer(error) => Self::internal(error),
        }
    }
}
