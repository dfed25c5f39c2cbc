//! The pages: one file a page, each an askama template of the same name and the handlers behind it.

/// One field of a form.
mod field;
/// Refusals as pages.
pub(super) mod failure;
/// What every page has around its content.
mod frame;
/// What forms send, and where the browser goes from there.
mod form;
/// How pages write instants, spans and figures.
mod show;
/// Signing in and out.
mod sign_in;

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
    let mut routes = sign_in::routes();
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
