use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::blocking;
use crate::app::App;
use crate::app::answers::{IntentAnswer, IntentPage, IntentQuery};
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::id::IntentId;
use crate::domain::intent::{Intent, MoveError, Note};
use crate::http::error::ApiError;
use crate::http::extract::{Body, Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;
use crate::store::Carried;

/// The longest `Idempotency-Key`.
const KEY_BYTES: usize = 255;

/// The longest reason.
const WHY_BYTES: usize = 1_000;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/intents", Role::Viewer, list),
        Route::get("/api/intents/{id}", Role::Viewer, show),
        Route::post("/api/intents/{id}/ack", Role::Operator, acknowledge),
        Route::post("/api/intents/{id}/resolve", Role::Operator, resolve),
    ]
}

async fn list(State(app): State<App>, Params(query): Params<IntentQuery>) -> Result<Json<IntentPage>, ApiError> {
    Ok(Json(blocking(move || IntentPage::find(&app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<u64>) -> Result<Json<IntentAnswer>, ApiError> {
    let intent = blocking(move || app.store.intent(IntentId(id))).await?;
    Ok(Json(IntentAnswer::from(&intent.ok_or_else(|| unknown(id))?)))
}

fn unknown(id: u64) -> ApiError {
    ApiError::NotFound(format!("there is no intent {id}"))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    why: String,
}

type Move = fn(&mut Intent, Note) -> Result<(), MoveError>;

async fn acknowledge(
    State(app): State<App>,
    PathPart(id): PathPart<u64>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    Body(verdict): Body<Verdict>,
) -> Result<Json<IntentAnswer>, ApiError> {
    carry_out(app, id, actor, &headers, verdict, "intent.acknowledge", Intent::acknowledge).await
}

async fn resolve(
    State(app): State<App>,
    PathPart(id): PathPart<u64>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    Body(verdict): Body<Verdict>,
) -> Result<Json<IntentAnswer>, ApiError> {
    carry_out(app, id, actor, &headers, verdict, "intent.resolve", Intent::resolve).await
}

/// The change, its audit record and its idempotency key in one transaction.
async fn carry_out(
    app: App,
    id: u64,
    actor: Actor,
    headers: &HeaderMap,
    verdict: Verdict,
    action: &'static str,
    step: Move,
) -> Result<Json<IntentAnswer>, ApiError> {
    let why = verdict.why.trim().to_owned();
    if why.is_empty() || why.len() > WHY_BYTES {
        return Err(ApiError::unfit("body", "why", format!("say why, in at most {WHY_BYTES} bytes")));
    }
    let key = match headers.get("idempotency-key").map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if (1..=KEY_BYTES).contains(&key.len()) => Some(key.to_owned()),
        Some(_) => {
            return Err(ApiError::unfit("header", "Idempotency-Key", format!("1 to {KEY_BYTES} printable characters")));
        }
    };
    let request = format!("{action} {id} by {}: {why}", actor.name);
    let answer = blocking(move || {
        app.store.write(|txn| {
            if let Some(key) = &key
                && let Some(carried) = txn.carried(key)?
            {
                if carried.request != request {
                    return Err(ApiError::Conflict("this Idempotency-Key was used for another request".into()));
                }
                return serde_json::from_str(&carried.answer).map_err(ApiError::internal);
            }
            let at = now();
            let mut intent = txn.intent(IntentId(id))?.ok_or_else(|| unknown(id))?;
            step(&mut intent, Note { by: actor.name.clone(), why: why.clone(), at })
                .map_err(|error| ApiError::Conflict(error.to_string()))?;
            txn.put_intent(&intent)?;
            txn.audit(AuditEntry::done(at, &actor, action, format!("intent {id}"), why.as_str()))?;
            let answer = IntentAnswer::from(&intent);
            if let Some(key) = &key {
                let text = serde_json::to_string(&answer).map_err(ApiError::internal)?;
                txn.carry(key, &Carried { at, request: request.clone(), answer: text })?;
            }
            Ok(answer)
        })
    });
    Ok(Json(answer.await?))
}
