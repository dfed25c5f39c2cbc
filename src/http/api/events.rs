use axum::Json;
use axum::extract::State;

use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::{EventAnswer, EventPage, EventQuery};
use crate::domain::id::EventId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/events", Role::Viewer, list).doc(
            Doc::new("events", "Search events")
                .about("The newest first. Everything that the query says must fit.")
                .query::<EventQuery>()
                .answer::<EventPage>(
                    200,
                    "A page of events; it may be short of its limit although there is a next one.",
                    json!({ "events": [examples::event()], "next": examples::EVENT_ID }),
                ),
        ),
        Route::get("/api/events/{id}", Role::Viewer, show).doc(
            Doc::new("events", "One event among its neighbours")
                .path::<EventId>("id", "The event's id.", examples::EVENT_ID)
                .answer::<EventAnswer>(
                    200,
                    "The event, and what was stored just before and after it.",
                    json!({ "event": examples::event(), "before": [], "after": [] }),
                )
                .refuses(404, "There is no such event, or not any more."),
        ),
    ]
}

async fn list(State(app): State<App>, Params(query): Params<EventQuery>) -> Result<Json<EventPage>, ApiError> {
    Ok(Json(blocking(move || EventPage::find(&app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<EventId>) -> Result<Json<EventAnswer>, ApiError> {
    let found = blocking(move || EventAnswer::find(&app.store, id)).await?;
    let unknown = || ApiError::NotFound(format!("there is no event {id}, or not any more"));
    Ok(Json(found.ok_or_else(unknown)?))
}
