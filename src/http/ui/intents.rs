use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, page, show};
use crate::app::App;
use crate::app::views::intents::IntentsView;
use crate::domain::id::IntentId;
use crate::domain::intent::Intent;
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/intents", Role::Viewer, intents)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The number below which resolved ones are listed.
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "intents.html")]
struct IntentsPage {
    frame: Frame,
    view: IntentsView,
    /// Whether it is the page that begins with what is open.
    first: bool,
    now: Micros,
}

async fn intents(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let view = blocking(move || match query.before {
        None => IntentsView::first(&app.store),
        Some(before) => IntentsView::before(&app.store, IntentId(before)),
    });
    let frame = Frame::of("Intents", &caller).at("/intents");
    let shown = IntentsPage { frame, view: view.await?, first: query.before.is_none(), now: observe::now() };
    Ok(page(StatusCode::OK, &shown))
}

impl IntentsPage {
    /// Who or what ended it.
    fn resolved_by(&self, intent: &Intent) -> String {
        intent.resolved.as_ref().map_or_else(String::new, |note| format!("{}: {}", note.by, note.why))
    }
}
