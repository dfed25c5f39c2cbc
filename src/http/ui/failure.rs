use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Frame, page};
use crate::http::error::Refusal;
use crate::http::peer::Caller;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a page needs to know of a request that ended early.
pub(in crate::http) struct Asked {
    /// Its method.
    pub(in crate::http) method: Method,
    /// Its address.
    pub(in crate::http) uri: Uri,
    /// Whether it asks for a page, as browsers do that show one.
    pub(in crate::http) by_browser: bool,
    /// Who asked, if that was found out.
    pub(in crate::http) caller: Option<Caller>,
    /// Whether a link on somebody else's page or in a mail led here.
    from_elsewhere: bool,
}

impl Asked {
    /// Of a request that nobody has looked at yet.
    pub(in crate::http) fn of(request: &Request) -> Self {
        let text = |headers: &HeaderMap, name| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            by_browser: text(request.headers(), header::ACCEPT).starts_with("text/html"),
            caller: None,
            from_elsewhere: matches!(text(request.headers(), SEC_FETCH_SITE).as_str(), "cross-site" | "same-site"),
        }
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure<'a> {
    frame: Frame,
    status: StatusCode,
    text: &'a str,
}

/// Loads the same page once more.
#[derive(Template)]
#[template(path = "again.html")]
struct Again<'a> {
    frame: Frame,
    path: &'a str,
}

/// The answer of a page's route: a refusal becomes a page, and a stranger who looks is sent to sign in.
pub(in crate::http) fn as_page(response: Response, asked: &Asked) -> Response {
    let Some(Refusal(text)) = response.extensions().get().cloned() else { return response };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED && asked.method == Method::GET {
        let path = asked.uri.path_and_query().map_or("/", |path| path.as_str());
        // A SameSite=Strict cookie stays at home when a link elsewhere led here, so this may be no stranger. A page of
        // ours that asks again finds out.
        if asked.from_elsewhere {
            return page(StatusCode::OK, &Again { frame: Frame::anonymous("One moment"), path });
        }
        let next = serde_urlencoded::to_string([("next", path)]).unwrap_or_default();
        return Redirect::to(&format!("/sign-in?{next}")).into_response();
    }
    let title = if status == StatusCode::NOT_FOUND { "Not found" } else { "Not possible" };
    let frame = asked.caller.as_ref().map_or_else(|| Frame::anonymous(title), |caller| Frame::of(title, caller));
    let mut shown = page(status, &Failure { frame, status, text: &text });
    for name in [header::RETRY_AFTER, header::CONNECTION, header::ALLOW, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            shown.headers_mut().insert(name, HeaderValue::clone(value));
        }
    }
    shown
}
