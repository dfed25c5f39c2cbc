use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::{DeadLetterDetail, DeadLetterPage, DeadLetterQuery};
use crate::app::bus_in::{LetterError, LetterMove};
use crate::domain::access::Actor;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/dead-letters", Role::Viewer, list).doc(
            Doc::new("dead letters", "List messages of the bus that came to nothing")
                .about(
                    "A message that cannot be read, or whose effect is refused, is tried three times and then given up. It \
                     also goes to `quantum:dlq:<type>`.",
                )
                .query::<DeadLetterQuery>()
                .answer::<DeadLetterPage>(
                    200,
                    "A page of them, the newest first.",
                    json!({ "dead_letters": [examples::dead_letter()], "next": null }),
                ),
        ),
        Route::get("/api/dead-letters/{number}", Role::Viewer, show).doc(
            one("One of them with what it says").answer::<DeadLetterDetail>(
                200,
                "The message, field by field.",
                examples::dead_letter_detail(),
            ),
        ),
        Route::post("/api/dead-letters/{number}/replay", Role::Operator, replay).doc(
            one("Process a message once more")
                .about("It is taken in as if it came now, and is over then; one that fails again waits on.")
                .refuses(409, "It is over already, or it failed again: the detail says why.")
                .answer::<DeadLetterDetail>(200, "The message as it is now.", examples::replayed_letter()),
        ),
        Route::post("/api/dead-letters/{number}/discard", Role::Operator, discard).doc(
            one("Discard a message")
                .about("Nobody wants it. It stays in the list for ninety days.")
                .body::<Reason>(json!({ "why": "the sender was repaired and has sent it again" }))
                .refuses(409, "It is over already.")
                .answer::<DeadLetterDetail>(200, "The message as it is now.", examples::discarded_letter()),
        ),
    ]
}

fn one(summary: &'static str) -> Doc {
    Doc::new("dead letters", summary)
        .path::<u64>("number", "The message's number.", 3)
        .refuses(404, "There is no such message.")
}

/// Why somebody discards a message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn list(
    State(app): State<App>,
    Params(query): Params<DeadLetterQuery>,
) -> Result<Json<DeadLetterPage>, ApiError> {
    Ok(Json(blocking(move || DeadLetterPage::find(&app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(number): PathPart<u64>) -> Result<Json<DeadLetterDetail>, ApiError> {
    let found = blocking(move || DeadLetterDetail::find(&app.store, number)).await?;
    Ok(Json(found.ok_or(LetterError::Unknown(number))?))
}

async fn replay(
    State(app): State<App>,
    PathPart(number): PathPart<u64>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<DeadLetterDetail>, ApiError> {
    carry_out(app, number, LetterMove::Replay, actor).await
}

async fn discard(
    State(app): State<App>,
    PathPart(number): PathPart<u64>,
    Extension(actor): Extension<Actor>,
    Body(Reason { why }): Body<Reason>,
) -> Result<Json<DeadLetterDetail>, ApiError> {
    carry_out(app, number, LetterMove::Discard(why), actor).await
}

async fn carry_out(app: App, number: u64, what: LetterMove, actor: Actor) -> Result<Json<DeadLetterDetail>, ApiError> {
    let letter = blocking(move || app.bus_in.carry_out(number, &what, &actor, now())).await?;
    Ok(Json(DeadLetterDetail::from(&letter)))
}

impl From<LetterError> for ApiError {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::Unknown(_) => Self::NotFound(error.to_string()),
            LetterError::Over { .. } | LetterError::Failed { .. } => Self::Conflict(error.to_string()),
            LetterError::Why => Self::unfit("body", "why", error.to_string()),
            LetterError::Store(error) => error.into(),
        }
    }
}
