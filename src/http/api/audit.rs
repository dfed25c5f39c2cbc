use axum::Json;
use axum::extract::State;

use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::accounts::{AuditPage, AuditQuery, Verified};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/audit", Role::Admin, list).doc(
            Doc::new("access", "Read the audit log")
                .about("Every change and every refused attempt, the newest first.")
                .query::<AuditQuery>()
                .answer::<AuditPage>(
                    200,
                    "A page of records; it may be short of its limit although there is a next one.",
                    json!({ "records": [examples::audit_record()], "next": null }),
                ),
        ),
        Route::get("/api/audit/verify", Role::Admin, verify).doc(
            Doc::new("access", "Verify the audit log")
                .about("Goes along the whole chain of hashes.")
                .answer::<Verified>(
                    200,
                    "Whether every record is what was written, in its place.",
                    json!({ "whole": true, "records": 1, "head": examples::HASH, "broken": null }),
                ),
        ),
    ]
}

async fn list(State(app): State<App>, Params(query): Params<AuditQuery>) -> Result<Json<AuditPage>, ApiError> {
    Ok(Json(blocking(move || app.accounts.audit(&query)).await?))
}

async fn verify(State(app): State<App>) -> Result<Json<Verified>, ApiError> {
    Ok(Json(blocking(move || app.accounts.verify_audit()).await?))
}
