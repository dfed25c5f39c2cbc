use axum::Json;
use axum::extract::State;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::HealthAnswer;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/health", Role::Viewer, look).doc(
            Doc::new("health", "Health with everything that is known").answer::<HealthAnswer>(
                200,
                "The verdict, and every component.",
                examples::health(),
            ),
        ),
        // A check is the one that the next check measures its growth from, so it is no GET.
        Route::post("/api/health/checks", Role::Viewer, check).doc(
            Doc::new("health", "Check health")
                .about("The same, and the next check measures `growth` from here.")
                .answer::<HealthAnswer>(200, "The verdict, and every component.", examples::health()),
        ),
    ]
}

async fn look(State(app): State<App>) -> Result<Json<HealthAnswer>, ApiError> {
    Ok(Json(answer(app, false).await?))
}

async fn check(State(app): State<App>) -> Result<Json<HealthAnswer>, ApiError> {
    Ok(Json(answer(app, true).await?))
}

async fn answer(app: App, check: bool) -> Result<HealthAnswer, ApiError> {
    let health = app.health(check);
    let components = app.board.all();
    // A data file that cannot be read is among the components; it must not keep them from being shown.
    let gaps = blocking(move || app.store.gaps(1)).await.unwrap_or_default();
    let last_gap = gaps.into_iter().next().map(Into::into);
    Ok(HealthAnswer { lines: health.lines(now()).into(), health, components, last_gap })
}
