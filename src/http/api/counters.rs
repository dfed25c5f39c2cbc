use axum::Json;
use axum::extract::State;

use serde_json::json;

use super::blocking;
use crate::app::App;
use crate::app::answers::{CounterList, CounterQuery};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/counters", Role::Viewer, list).doc(
            Doc::new("counters", "Events an hour")
                .about("By the events' own time, in UTC; the present hour is among them. Kept for 90 days.")
                .query::<CounterQuery>()
                .answer::<CounterList>(
                    200,
                    "A page of counters, by hour, kind and name.",
                    json!({
                        "counters": [
                            { "hour": "2026011703", "kind": "errors", "name": "quantum-risk-brain.service", "count": 32 },
                        ],
                        "next": null,
                    }),
                ),
        ),
    ]
}

async fn list(State(app): State<App>, Params(query): Params<CounterQuery>) -> Result<Json<CounterList>, ApiError> {
    Ok(Json(blocking(move || CounterList::find(&app.store, &query)).await?))
}
