use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::views::event::PathView;
use crate::domain::decision_path::End;
use crate::domain::id::EventId;
use crate::domain::stage::Stage;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/correlations/{id}", Role::Viewer, in_path),
        // For ids that cannot stand in a path.
        Route::page("/correlations", Role::Viewer, in_query),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    id: String,
}

#[derive(Template)]
#[template(path = "correlation.html")]
struct CorrelationPage {
    frame: Frame,
    id: String,
    view: PathView,
    list: String,
}

async fn in_path(
    State(app): State<App>,
    PathPart(id): PathPart<String>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    show_path(app, id, caller).await
}

async fn in_query(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(Query { id }): Params<Query>,
) -> Result<Response, ApiError> {
    let address = links::correlation(&id);
    // One page has one address, where it can.
    if !address.contains('?') {
        return Ok(Redirect::to(&address).into_response());
    }
    show_path(app, id, caller).await
}

async fn show_path(app: App, id: String, caller: Caller) -> Result<Response, ApiError> {
    let wanted = id.clone();
    let view = blocking(move || PathView::find(&app.store, &wanted)).await?;
    let frame = Frame::of("The path of a decision", &caller).at("/events");
    let list = links::events([("correlation_id", id.as_str())]);
    let status = if view.events.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok(page(status, &CorrelationPage { frame, id, view, list }))
}

impl CorrelationPage {
    /// Where it ended, in a sentence.
    fn end(&self) -> String {
        let last = |stage: Stage| self.view.path.steps.iter().rev().find(|step| step.stage == Some(stage));
        match self.view.path.end {
            End::Executed => "It reached execution.".to_owned(),
            End::Stopped(stage) => match last(stage) {
                Some(step) => format!(
                    "It went no further than {}, which said last: {}",
                    stage.name(),
                    show::listed(&step.message)
                ),
                None => format!("It went no further than {}.", stage.name()),
            },
            End::Beside => "No stage of the trade path had part in it.".to_owned(),
        }
    }

    fn tone(&self) -> &'static str {
        match self.view.path.end {
            End::Executed => "good",
            End::Stopped(_) => "warn",
            End::Beside => "calm",
        }
    }

    /// A stage's name, or the service's own where it is none.
    fn name<'a>(&self, stage: &Option<Stage>, source: &'a str) -> &'a str {
        stage.map_or(source, |stage| stage.name())
    }
}
