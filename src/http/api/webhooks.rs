use axum::extract::State;
use axum::{Extension, Json};
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::{DeliveryAnswer, DeliveryPage, DeliveryQuery, WebhookAnswer, WebhookList};
use crate::app::webhooks::{self, WebhookError};
use crate::domain::access::Actor;
use crate::domain::webhook::WebhookName;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/webhooks", Role::Viewer, list).doc(Doc::new("webhooks", "List webhooks").answer::<WebhookList>(
            200,
            "Those that are configured, by name.",
            json!({ "webhooks": [examples::webhook()], "next": null }),
        )),
        Route::get("/api/webhooks/{name}", Role::Viewer, show).doc(one("One webhook").answer::<WebhookAnswer>(
            200,
            "The webhook as it stands.",
            examples::webhook(),
        )),
        Route::get("/api/webhooks/{name}/deliveries", Role::Viewer, deliveries).doc(
            one("What was sent to a webhook")
                .about("The log keeps the newest thousand lines.")
                .query::<DeliveryQuery>()
                .answer::<DeliveryPage>(
                    200,
                    "A page of the log, the newest line first.",
                    json!({ "deliveries": [examples::delivery()], "next": null }),
                ),
        ),
        Route::post("/api/webhooks/{name}/test", Role::Admin, test).doc(
            one("Send a test to a webhook")
                .about(
                    "An event of the type `clm.test` is sent at once, beside those that wait. Where it is taken, what waits \
                     follows without waiting for its next try.",
                )
                .answer::<DeliveryAnswer>(200, "What became of it.", examples::test_delivery()),
        ),
        Route::post("/api/webhooks/{name}/deliveries/{number}/replay", Role::Operator, replay).doc(
            one("Send an event once more")
                .about("It is sent once, at once, under its old id.")
                .path::<u64>("number", "The number of a line in the log.", 41)
                .refuses(409, "The event is kept no longer.")
                .answer::<DeliveryAnswer>(200, "What became of it.", examples::replayed_delivery()),
        ),
    ]
}

fn one(summary: &'static str) -> Doc {
    Doc::new("webhooks", summary)
        .path::<WebhookName>("name", "The webhook's name.", "ops")
        .refuses(404, "There is no such webhook.")
}

async fn list(State(app): State<App>) -> Result<Json<WebhookList>, ApiError> {
    Ok(Json(blocking(move || webhooks::list(&app)).await?))
}

async fn show(State(app): State<App>, PathPart(name): PathPart<WebhookName>) -> Result<Json<WebhookAnswer>, ApiError> {
    Ok(Json(blocking(move || webhooks::one(&app, &name)).await?))
}

async fn deliveries(
    State(app): State<App>,
    PathPart(name): PathPart<WebhookName>,
    Params(query): Params<DeliveryQuery>,
) -> Result<Json<DeliveryPage>, ApiError> {
    Ok(Json(blocking(move || webhooks::deliveries(&app, &name, &query)).await?))
}

async fn test(
    State(app): State<App>,
    PathPart(name): PathPart<WebhookName>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    Ok(Json(webhooks::test(&app, &name, &actor).await?))
}

async fn replay(
    State(app): State<App>,
    PathPart((name, number)): PathPart<(WebhookName, u64)>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<DeliveryAnswer>, ApiError> {
    Ok(Json(webhooks::replay(&app, &name, number, &actor).await?))
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Unknown(_) | WebhookError::NoDelivery { .. } => Self::NotFound(error.to_string()),
            WebhookError::Gone(_) | WebhookError::WasTest(_) => Self::Conflict(error.to_string()),
            WebhookError::Query(error) => error.into(),
            WebhookError::Store(error) => error.into(),
            WebhookError::Task(error) => Self::internal(error),
        }
    }
}
