use askama::Template;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Frame, page};
use crate::http::error::Refusal;

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure<'a> {
    frame: Frame,
    status: StatusCode,
    text: &'a str,
}

/// The answer of a page's route: a refusal becomes a page, and a stranger who looks is sent to sign in.
pub(in crate::http) fn as_page(response: Response, method: &Method, uri: &Uri) -> Response {
    let Some(Refusal(text)) = response.extensions().get().cloned() else { return response };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED && method == Method::GET {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let next = serde_urlencoded::to_string([("next", path)]).unwrap_or_default();
        return Redirect::to(&format!("/sign-in?{next}")).into_response();
    }
    let mut shown = page(status, &Failure { frame: Frame::anonymous("Not possible"), status, text: &text });
    for name in [header::RETRY_AFTER, header::CONNECTION, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            shown.headers_mut().insert(name, HeaderValue::clone(value));
        }
    }
    shown
}
