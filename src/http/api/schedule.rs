use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::blocking;
use crate::app::App;
use crate::app::answers::{SchedulePage, ScheduleQuery, TriggerPage, TriggerQuery};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/schedule", Role::Viewer, schedule).doc(
            Doc::new("jobs", "When which model is trained, and why not yet")
                .about(
                    "Those of the registry that have versions, and those of scheduler.models. What holds a training back is \
                     said as things stand now, and so is the next time.",
                )
                .query::<ScheduleQuery>()
                .answer::<SchedulePage>(200, "A page of models, by id.", plan()),
        ),
        Route::get("/api/triggers", Role::Viewer, triggers).doc(
            Doc::new("jobs", "List what spoke for trainings")
                .about(
                    "Messages of the bus, intents, shadow tests, what people asked for, and the clock and new trades where they \
                     began a training; each with its evidence and what became of it. A page may hold fewer than asked for and \
                     still have a `next`.",
                )
                .query::<TriggerQuery>()
                .answer::<TriggerPage>(
                    200,
                    "A page of triggers, the newest first.",
                    json!({ "triggers": [started(), waiting()], "next": null }),
                ),
        ),
    ]
}

fn started() -> Value {
    json!({
        "number": 42, "at": "2026-01-17T03:46:06.000Z", "model_id": "xgboost_btcusdt_1h", "reason": "drift_detected",
        "by": "model.drift_detected", "evidence": "drift score 0.312", "decided_at": "2026-01-17T03:46:06.000Z",
        "outcome": { "decision": "started", "job_id": "job-17" }, "words": "started job-17",
    })
}

fn waiting() -> Value {
    json!({
        "number": 41, "at": "2026-01-16T14:02:00.000Z", "model_id": "nhits_multi_4h", "reason": "regime_change",
        "by": "market.regime_changed", "evidence": "the regime went from bull to bear",
        "decided_at": "2026-01-16T14:02:00.000Z",
        "outcome": {
            "decision": "waiting", "why": "these are no-training hours", "until": "2026-01-16T21:00:00.000Z",
        },
        "words": "not yet, because these are no-training hours",
    })
}

fn plan() -> Value {
    json!({
        "enabled": true,
        "rules": {
            "quiet": ["Mon-Fri 13:00-21:00"], "quiet_until": null, "trades": 100, "sharpe": 0.5, "drift": 0.0,
            "cooldown_seconds": 21_600, "starts_per_hour": 4,
        },
        "models": [{
            "model_id": "xgboost_btcusdt_1h", "model_type": "xgboost", "registered": true, "enabled": true,
            "cadence": "every 7 days", "interval_seconds": 604_800, "cron": null,
            "last_training": "2026-01-10T03:00:00.000Z", "next_training": "2026-01-24T03:46:06.000Z", "state": "open",
            "why": "not yet, because job-17 of the model is open", "job_id": "job-17", "trades": 12, "waiting": [],
            "last_decision": started(),
        }],
        "total": 1,
        "next": null,
    })
}

async fn schedule(
    State(app): State<App>,
    Params(query): Params<ScheduleQuery>,
) -> Result<Json<SchedulePage>, ApiError> {
    let look = move || SchedulePage::find(&app.schedule, &app.config.scheduler, &query, now());
    Ok(Json(blocking(look).await?))
}

async fn triggers(State(app): State<App>, Params(query): Params<TriggerQuery>) -> Result<Json<TriggerPage>, ApiError> {
    Ok(Json(blocking(move || TriggerPage::find(&app.store, &query)).await?))
}
