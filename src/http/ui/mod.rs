//! The pages: one file a page, each an askama template of the same name and the handlers behind it.

/// Refusals as pages.
pub(super) mod failure;
/// What every page has around its content.
mod frame;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(super) use self::frame::Frame;
use super::csp::POLICY;
use super::error::ApiError;
use super::routes::Route;
use crate::app::App;

/// Every page's routes.
pub(super) fn routes() -> Vec<Route<App>> {
    Vec::new()
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
