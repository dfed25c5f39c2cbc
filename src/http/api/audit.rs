use axum::Json;
use axum::extract::State;

use super::blocking;
use crate::app::App;
use crate::app::accounts::{AuditPage, AuditQuery, Verified};
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/audit", Role::Admin, list), Route::get("/api/audit/verify", Role::Admin, verify)]
}

async fn list(State(app): State<App>, Params(query): Params<AuditQuery>) -> Result<Json<AuditPage>, ApiError> {
    Ok(Json(blocking(move || app.accounts.audit(&query)).await?))
}

async fn verify(State(app): State<App>) -> Result<Json<Verified>, ApiError> {
    Ok(Json(blocking(move || app.accounts.verify_audit()).await?))
}
