use axum::Json;
use axum::extract::State;

use super::blocking;
use crate::app::App;
use crate::app::answers::{EventAnswer, EventPage, EventQuery};
use crate::domain::id::EventId;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/events", Role::Viewer, list), Route::get("/api/events/{id}", Role::Viewer, show)]
}

async fn list(State(app): State<App>, Params(query): Params<EventQuery>) -> Result<Json<EventPage>, ApiError> {
    Ok(Json(blocking(move || EventPage::find(&app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<EventId>) -> Result<Json<EventAnswer>, ApiError> {
    let found = blocking(move || EventAnswer::find(&app.store, id)).await?;
    let unknown = || ApiError::NotFound(format!("there is no event {id}, or not any more"));
    Ok(Json(found.ok_or_else(unknown)?))
}
