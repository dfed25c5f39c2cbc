//! The pages: one file a page, each an askama template of the same name and the handlers behind it.

/// Charts, and the tables behind them.
mod chart;
mod correlation;
mod event;
mod events;
/// Refusals as pages.
pub(super) mod failure;
/// What every page has around its content.
mod frame;
mod health;
/// Addresses of pages.
mod links;
/// How pages write instants, spans and figures.
mod show;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(super) use self::frame::{Frame, Tone};
use super::csp::POLICY;
use super::error::ApiError;
use super::routes::Route;
use crate::app::App;

/// Every page's routes.
pub(super) fn routes() -> Vec<Route<App>> {
    let mut routes = health::routes();
    routes.extend(events::routes());
    routes.extend(event::routes());
    routes.extend(correlation::routes());
    routes
}

/// A rendered template as an answer.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let headers =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
            (status, headers, html).into_response()
        }
        Err(error) => ApiError::internal(error).into_response(),
    }
}
