//! What a page's form sends, and where the browser goes from there.

use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;

use super::{Frame, Tone};
use crate::app::accounts::AccountError;
use crate::http::error::ApiError;

/// The longest path that a form may lead back to.
const PATH_BYTES: usize = 2_048;

/// The fields of a form. What is missing or has a wrong shape is refused as a whole, so types of forms take strings with
/// defaults, and say field by field what does not fit.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Form<T>(pub(in crate::http) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        const KIND: &str = "application/x-www-form-urlencoded";
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // Nothing else comes from our forms, and nothing else is parsed: no second reading of the same bytes.
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(KIND) {
            return Err(ApiError::Refused(format!("this takes a form ({KIND})")));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| ApiError::Refused(error.body_text()))?;
        let fields = serde_urlencoded::from_bytes(&bytes)
            .map_err(|error| ApiError::Refused(format!("the form is not readable: {error}")))?;
        Ok(Self(fields))
    }
}

/// Done: the browser gets the page at `path`, and reloading it does nothing twice.
pub(in crate::http) fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// The path, if it leads to a page of ours and nowhere else. Browsers take `//host`, `/\host`, and either of them with
/// tabs or line feeds in between, for another server.
pub(in crate::http) fn own_path(path: &str) -> Option<&str> {
    let mut bytes = path.bytes();
    let ours = bytes.next() == Some(b'/')
        && bytes.next() != Some(b'/')
        && path.len() <= PATH_BYTES
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    ours.then_some(path)
}

/// What does not fit in a form, by its fields.
#[derive(Debug, Default)]
pub(in crate::http) struct Misfits(Vec<(&'static str, String)>);

impl Misfits {
    /// One more.
    pub(in crate::http) fn add(&mut self, field: &'static str, why: impl Display) {
        self.0.push((field, sentence(why)));
    }

    /// The value, or nothing and one more.
    pub(in crate::http) fn parsed<T, E: Display>(&mut self, field: &'static str, value: Result<T, E>) -> Option<T> {
        value.map_err(|why| self.add(field, why)).ok()
    }

    /// Puts what became of an attempt to its field; a conflict with what is there belongs to `conflict`. What is nobody's
    /// fault who fills in a form is given back.
    pub(in crate::http) fn attempt<T>(
        &mut self,
        conflict: &'static str,
        attempt: Result<T, AccountError>,
    ) -> Result<Option<T>, ApiError> {
        match attempt {
            Ok(value) => return Ok(Some(value)),
            Err(AccountError::Bad { field, why }) => self.add(field, why),
            Err(error @ (AccountError::Conflict(_) | AccountError::LastAdmin(_))) => self.add(conflict, error),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// What is wrong with this field; empty if nothing is.
    pub(in crate::http) fn of(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == field).map_or("", |(_, why)| why)
    }

    /// Whether everything fits.
    pub(in crate::http) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The status and the frame of a page that only looks: nothing was to be changed.
    pub(in crate::http) fn looked(&self, frame: Frame) -> (StatusCode, Frame) {
        match self.0.first() {
            None => (StatusCode::OK, frame),
            Some(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                frame.notice(Tone::Bad, "Nothing was looked up: see the marked fields."),
            ),
        }
    }

    /// The status of the page, and its frame with a sentence that says to look at the fields.
    pub(in crate::http) fn frame(&self, frame: Frame) -> (StatusCode, Frame) {
        match self.0.as_slice() {
            [] => (StatusCode::OK, frame),
            [(_, why)] => {
                (StatusCode::UNPROCESSABLE_ENTITY, frame.notice(Tone::Bad, format!("Nothing was changed. {why}")))
            }
            _ => (
                StatusCode::UNPROCESSABLE_ENTITY,
                frame.notice(Tone::Bad, "Nothing was changed: see the marked fields."),
            ),
        }
    }
}

/// An error's words as a sentence: the field is above it, so nothing else begins it.
pub(in crate::http) fn sentence(text: impl Display) -> String {
    let text = text.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_sentences() {
        assert_eq!(sentence("a name: one word"), "A name: one word.");
        assert_eq!((sentence(""), sentence("Why?")), (".".to_owned(), "Why?".to_owned()));
    }

    #[test]
    fn only_paths_of_ours() {
        for ours in ["/", "/events?unit=a&since=-1h", "/correlations/a%20b", "/events#x"] {
            assert_eq!(own_path(ours), Some(ours));
        }
        for path in [
            "",
            "events",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a b",
            "/ä",
            " /",
        ] {
            assert_eq!(own_path(path), None, "{path:?}");
        }
        assert_eq!(own_path(&format!("/{}", "a".repeat(PATH_BYTES))), None, "a long one");
    }
}
