use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::views::event::{Around, EventView};
use crate::domain::event::EventRef;
use crate::domain::id::EventId;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/events/{id}", Role::Viewer, event)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    around: String,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage<'a> {
    frame: Frame,
    view: &'a EventView,
    event: EventRef<'a>,
    around: Around,
    /// Which row stands out.
    shown_id: EventId,
    /// The free fields, one a line.
    fields: Option<String>,
}

async fn event(
    State(app): State<App>,
    PathPart(id): PathPart<EventId>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let around = if query.around == "all" { Around::All } else { Around::Unit };
    let view = blocking(move || EventView::find(&app.store, id, around)).await?;
    let gone = || ApiError::NotFound(format!("there is no event {id}: it is past its retention, or never was"));
    let view = view.ok_or_else(gone)?;
    let event = view.event.get(0).ok_or_else(gone)?;
    let frame = Frame::of(format!("Event {id}"), &caller).at("/events");
    let fields = event.fields.map(pretty);
    Ok(page(StatusCode::OK, &EventPage { frame, view: &view, event, around, shown_id: id, fields }))
}

/// JSON with a field a line; as it is where it is none.
fn pretty(fields: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(fields).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| fields.to_owned())
}
