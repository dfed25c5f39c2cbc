//! `/webhooks`: who is told what, and how that goes.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::done::{Done, done};
use super::{Frame, Tone, page, show};
use crate::app::App;
use crate::app::answers::{DeliveryAnswer, DeliveryPage, DeliveryQuery, WebhookAnswer, WebhookList};
use crate::app::webhooks::{self, WebhookError};
use crate::domain::access::Actor;
use crate::domain::time::Micros;
use crate::domain::webhook::{Outcome, WebhookName};
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

/// Lines of a page.
const LINES: usize = 50;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/webhooks", Role::Viewer, list),
        Route::page("/webhooks/{name}", Role::Viewer, one),
        Route::form("/webhooks/{name}/test", Role::Admin, test),
        Route::form("/webhooks/{name}/deliveries/{number}/replay", Role::Operator, replay),
    ]
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    webhooks: Vec<WebhookAnswer>,
    now: Micros,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    webhook: WebhookAnswer,
    log: DeliveryPage,
    /// Whether it is the page that begins with the newest line.
    first: bool,
    now: Micros,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The number below which lines are listed.
    before: Option<u64>,
}

async fn list(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    let WebhookList { webhooks, .. } = blocking(move || webhooks::list(&app)).await?;
    let frame = Frame::of("Webhooks", &caller).at("/webhooks");
    Ok(page(StatusCode::OK, &WebhooksPage { frame, webhooks, now: observe::now() }))
}

async fn one(
    State(app): State<App>,
    PathPart(name): PathPart<WebhookName>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
    Params(said): Params<Done>,
) -> Result<Response, ApiError> {
    let shown = WebhookPage::of(app, name, &caller, query.before).await?;
    Ok(page(StatusCode::OK, &WebhookPage { frame: said.onto(shown.frame), ..shown }))
}

async fn test(
    State(app): State<App>,
    PathPart(name): PathPart<WebhookName>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    let sent = webhooks::test(&app, &name, &actor).await?;
    said(app, name, &caller, &sent, "webhook-tested").await
}

async fn replay(
    State(app): State<App>,
    PathPart((name, number)): PathPart<(WebhookName, u64)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    match webhooks::replay(&app, &name, number, &actor).await {
        Ok(sent) => said(app, name, &caller, &sent, "webhook-replayed").await,
        Err(error @ (WebhookError::Gone(_) | WebhookError::WasTest(_))) => {
            let shown = WebhookPage::of(app, name, &caller, None).await?;
            let frame = shown.frame.notice(Tone::Bad, format!("Nothing was sent: {error}."));
            Ok(page(StatusCode::CONFLICT, &WebhookPage { frame, ..shown }))
        }
        Err(error) => Err(error.into()),
    }
}

/// What became of what was sent. Where the receiver did not take it, the page says why.
async fn said(
    app: App,
    name: WebhookName,
    caller: &Caller,
    sent: &DeliveryAnswer,
    word: &'static str,
) -> Result<Response, ApiError> {
    let Some(error) = &sent.error else { return Ok(done(&format!("/webhooks/{name}"), word)) };
    let shown = WebhookPage::of(app, name, caller, None).await?;
    let frame = shown.frame.notice(Tone::Bad, format!("It was sent, and not taken: {error}."));
    Ok(page(StatusCode::OK, &WebhookPage { frame, ..shown }))
}

impl WebhookPage {
    async fn of(app: App, name: WebhookName, caller: &Caller, before: Option<u64>) -> Result<Self, ApiError> {
        let frame = Frame::of(format!("Webhook {name}"), caller).at("/webhooks");
        let query = DeliveryQuery { limit: Some(LINES), cursor: before.map(|before| before.to_string()) };
        let look =
            move || Ok::<_, WebhookError>((webhooks::one(&app, &name)?, webhooks::deliveries(&app, &name, &query)?));
        let (webhook, log) = blocking(look).await?;
        Ok(Self { frame, webhook, log, first: before.is_none(), now: observe::now() })
    }

    /// Whether a line's event may be sent once more by this caller.
    fn may_replay(&self, line: &DeliveryAnswer) -> bool {
        line.replayable && self.frame.may(Role::Operator)
    }

    /// An outcome's class and word.
    fn outcome(&self, line: &DeliveryAnswer) -> (&'static str, &'static str) {
        match line.outcome {
            Outcome::Delivered => ("good", "delivered"),
            Outcome::Failed => ("warn", "failed"),
            Outcome::GivenUp => ("bad", "given up"),
        }
    }
}
