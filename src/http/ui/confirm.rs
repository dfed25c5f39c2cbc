use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Frame, page};

/// One question before something that cannot be taken back.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(in crate::http) struct Confirm {
    /// Around it.
    pub(in crate::http) frame: Frame,
    /// The question, with what follows from a yes.
    pub(in crate::http) question: String,
    /// The yes, as a verb.
    pub(in crate::http) button: &'static str,
    /// Where the yes is sent.
    pub(in crate::http) action: String,
    /// Where the no leads.
    pub(in crate::http) back: String,
}

impl Confirm {
    /// As a page.
    pub(in crate::http) fn page(&self) -> Response {
        page(StatusCode::OK, self)
    }
}
