use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;

use super::peer::Role;
use super::routes::Route;
use crate::domain::health::{PublicHealth, Verdict};
use crate::observe::metrics::{Exposition, Metrics};
use crate::observe::status::StatusBoard;

/// The two routes that need no credential.
pub fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    StatusBoard: FromRef<S>,
    Metrics: FromRef<S>,
{
    vec![Route::get("/health", Role::Open, health), Route::get("/metrics", Role::Open, metrics)]
}

/// 200 while healthy, 503 while degraded: load balancers and `curl -f` look at nothing but the status. (The predecessor
/// answered 200 in any case, and could not say "degraded" at all.)
async fn health(State(board): State<StatusBoard>) -> impl IntoResponse {
    let health = PublicHealth::of(&board.all(), env!("CARGO_PKG_VERSION"));
    let status = match health.status {
        Verdict::Healthy => StatusCode::OK,
        Verdict::Degraded => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(health))
}

async fn metrics(State(metrics): State<Metrics>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let exposition = Exposition::accepted(accept);
    ([(header::CONTENT_TYPE, exposition.content_type())], metrics.render(exposition))
}
