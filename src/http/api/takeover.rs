use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::blocking;
use crate::app::App;
use crate::app::answers::HistoryAnswer;
use crate::app::takeover::{self, Asked, HistoryError};
use crate::domain::access::Actor;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Body;
use crate::http::peer::Role;
use crate::http::routes::Route;

/// Millions of entries take a while.
const IMPORT: Duration = Duration::from_secs(600);

/// The most steps of a takeover that are written down.
const STEPS: usize = 50;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/import/history", Role::Viewer, history).doc(
            Doc::new("events", "What was taken in of the predecessor's stream")
                .answer::<HistoryAnswer>(200, "How far it came; all empty where nothing was.", answer()),
        ),
        Route::post("/api/import/history", Role::Admin, import).answers_within(IMPORT).doc(
            Doc::new("events", "Take in the history of the predecessor's stream")
                .about(
                    "Events that the store does not have, under the ids that they have in the stream, in front of its own. \
                     They are counted; no rule sees them. Asked again, it goes on where it ended.",
                )
                .body::<NewHistory>(json!({ "dry_run": true }))
                .answer::<HistoryAnswer>(200, "What became of the entries, or would.", answer())
                .refuses(409, "The journal is still being read up to the history's end, or it is being done already.")
                .refuses(503, "Redis does not answer."),
        ),
        Route::post("/api/takeover", Role::Admin, record).doc(
            Doc::new("audit", "Note that a takeover was done, or undone")
                .about("What `quantum-clm takeover` tells when it is through with the machine: it goes into the audit log.")
                .body::<NewRecord>(json!({ "undone": false, "steps": ["quantum-utf-publisher.service stopped"] }))
                .answer::<Recorded>(200, "It is in the log.", json!({ "recorded": true })),
        ),
    ]
}

fn answer() -> Value {
    json!({
        "server": "redis://127.0.0.1:6379/0", "stream": "quantum:stream:utf", "dry_run": true, "entries": 200_000,
        "taken": 199_998, "left": { "unreadable": 1, "stored": 1 },
        "odd": [{ "id": "1768621479809-0", "why": "it is no event of the predecessor: it has no field `event`" }],
        "first": "1768621479810-0", "last": "1768621999999-0", "journal_follows": false,
        "finished": "2026-01-17T03:46:06.000Z",
    })
}

/// A history to take in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewHistory {
    /// Whether only to tell what would become of it.
    #[serde(default)]
    dry_run: bool,
}

/// What was done to the machine.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRecord {
    /// Whether it was the way back.
    #[serde(default)]
    undone: bool,
    /// A sentence for each step.
    steps: Vec<String>,
}

/// That it is in the log.
#[derive(Serialize, JsonSchema)]
struct Recorded {
    /// Always.
    recorded: bool,
}

async fn history(State(app): State<App>) -> Result<Json<HistoryAnswer>, ApiError> {
    let row = blocking(move || app.store.feed_history()).await?;
    Ok(Json(HistoryAnswer::of(&row.unwrap_or_default(), false)))
}

async fn import(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(NewHistory { dry_run }): Body<NewHistory>,
) -> Result<Json<HistoryAnswer>, ApiError> {
    Ok(Json(takeover::import(&app, Asked::By(actor), dry_run).await?))
}

async fn record(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(NewRecord { undone, steps }): Body<NewRecord>,
) -> Result<Json<Recorded>, ApiError> {
    if steps.len() > STEPS || steps.iter().any(|step| step.len() > 1_000) {
        return Err(ApiError::unfit("body", "steps", "at most 50 steps of at most 1,000 bytes"));
    }
    blocking(move || takeover::record(&app, &actor, undone, &steps)).await?;
    Ok(Json(Recorded { recorded: true }))
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NoRedis | HistoryError::JournalBehind { .. } | HistoryError::UnderWay => {
                Self::Conflict(error.to_string())
            }
            HistoryError::Redis(_) => Self::Unavailable(error.to_string()),
            HistoryError::Store(error) => error.into(),
            HistoryError::Task(error) => Self::internal(error),
        }
    }
}
