use axum::Json;
use axum::extract::State;

use super::blocking;
use crate::app::App;
use crate::app::answers::StatusAnswer;
use crate::http::error::ApiError;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/status", Role::Viewer, status)]
}

async fn status(State(app): State<App>) -> Result<Json<StatusAnswer>, ApiError> {
    let lag = app
        .board
        .all()
        .iter()
        .find(|part| part.name == "mirror")
        .and_then(|part| part.figures.get("lag_events").copied());
    Ok(Json(blocking(move || StatusAnswer::find(&app.store, Some(app.started), lag, crate::observe::now())).await?))
}
