use axum::Json;
use axum::extract::State;

use super::blocking;
use crate::app::App;
use crate::app::answers::{CounterList, CounterQuery};
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/counters", Role::Viewer, list)]
}

async fn list(State(app): State<App>, Params(query): Params<CounterQuery>) -> Result<Json<CounterList>, ApiError> {
    Ok(Json(blocking(move || CounterList::find(&app.store, &query)).await?))
}
