use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;

use super::doc::Doc;
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
    let example = json!({
        "status": "healthy", "service": "quantum-clm", "version": env!("CARGO_PKG_VERSION"),
        "components": { "store": { "state": "ok", "since": "2026-01-16T21:00:02.112Z" } },
    });
    vec![
        Route::get("/health", Role::Open, health).doc(
            Doc::new("health", "The verdict, for anybody")
                .answer::<PublicHealth>(200, "Every needed component does its work.", example.clone())
                .answer::<PublicHealth>(503, "At least one does not; the body says which.", {
                    let mut degraded = example;
                    degraded["status"] = json!("degraded");
                    degraded["components"]["store"]["state"] = json!("failed");
                    degraded
                }),
        ),
        Route::get("/metrics", Role::Open, metrics).doc(
            Doc::new("health", "Figures for Prometheus")
                .about("OpenMetrics for those who accept it, else the older text format.")
                .answer_as::<String>(
                    200,
                    "Text.",
                    "text/plain; version=0.0.4; charset=utf-8",
                    "# TYPE quantum_clm_events_stored_total counter\nquantum_clm_events_stored_total 1204330\n",
                ),
        ),
    ]
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
