use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::examples;
use crate::app::App;
use crate::app::answers::{NewEvent, PublishAnswer};
use crate::app::publish::PublishError;
use crate::domain::access::Scope;
use crate::domain::publish::Form;
use crate::http::doc::Doc;
use crate::http::error::{ApiError, Misfit};
use crate::http::extract::Key;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::post("/api/events", Role::Admin, publish).also(Scope::Publish).doc(
            Doc::new("events", "Publish events")
                .about(
                    "One event as JSON, or one a line (at most 10,000, and 1 MiB). They are stored all together or not at \
                     all, exactly like lines of the journal, and the answer comes once they are: within about a second, so \
                     send many at once. Without an answer, send the same again under the same key.",
                )
                .once()
                .body::<NewEvent>(examples::new_event())
                .body_as::<String>("application/x-ndjson", format!("{0}\n{0}\n", examples::new_event()))
                .answer::<PublishAnswer>(
                    202,
                    "Stored, under these ids, in the order in which the events were sent.",
                    json!({ "ids": [examples::EVENT_ID] }),
                )
                .refuses(415, "Neither application/json nor application/x-ndjson.")
                .refuses(503, "Not stored, or not yet; the detail says whether to send it again."),
        ),
    ]
}

async fn publish(
    State(app): State<App>,
    headers: HeaderMap,
    Key(key): Key,
    body: Bytes,
) -> Result<(StatusCode, Json<PublishAnswer>), ApiError> {
    let form = form(&headers)?;
    let ids = app.publish(body, form, key, now()).await?;
    Ok((StatusCode::ACCEPTED, Json(ids.into())))
}

/// How the body is written, by its content type: a guess could take half of what was meant.
fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Object),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        _ => Err(ApiError::OtherMedia("send application/json for one event, application/x-ndjson for one a line")),
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Unfit(bad) => Self::Unfit(
                bad.into_iter()
                    .map(|bad| {
                        let line = bad.line.map(|line| line.to_string());
                        let loc = [Some("body".to_owned()), line, bad.field].into_iter().flatten().collect();
                        Misfit { loc, msg: bad.why, r#type: "value_error".to_owned() }
                    })
                    .collect(),
            ),
            PublishError::KeyUsed => Self::Conflict(error.to_string()),
            PublishError::Busy => {
                Self::Crowded { what: "too many publications are under way; nothing was stored", seconds: 1 }
            }
            PublishError::Stopping | PublishError::Late { .. } => Self::Unavailable(error.to_string()),
            PublishError::Store(error) => error.into(),
        }
    }
}
