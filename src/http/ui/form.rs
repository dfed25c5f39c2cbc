//! What a page's form sends, and where the browser goes from there.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use serde::de::DeserializeOwned;

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

#[cfg(test)]
mod tests {
    use super::*;

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
