use axum::Json;
use axum::extract::State;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::StatusAnswer;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/status", Role::Viewer, status).doc(
        Doc::new("health", "What the daemon is doing").answer::<StatusAnswer>(
            200,
            "Figures and positions.",
            examples::status(),
        ),
    )]
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
