use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::blocking;
use crate::app::App;
use crate::app::answers::{HookPage, HookQuery};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/hooks", Role::Viewer, list).doc(
            Doc::new("models", "List the runs of the promotion hook")
                .about(
                    "One for each change of production while promotion.hook is set. Only what went into production last is \
                     due: what was pending for the model before is superseded. A worker runs it as a job.",
                )
                .query::<HookQuery>()
                .answer::<HookPage>(200, "A page of them, the newest first.", example()),
        ),
    ]
}

fn example() -> serde_json::Value {
    json!({
        "hooks": [{
            "number": 7, "model_id": "xgboost_btcusdt_1h_main", "version": "v20260117_034606",
            "previous": "v20260110_120000", "at": "2026-01-17T03:50:00.000Z", "state": "failed",
            "job": "job-19", "ended_at": "2026-01-17T03:50:04.000Z", "why": "it ended with exit code 3",
        }],
        "next": null,
    })
}

async fn list(State(app): State<App>, Params(query): Params<HookQuery>) -> Result<Json<HookPage>, ApiError> {
    Ok(Json(blocking(move || HookPage::find(&app.store, &query)).await?))
}
