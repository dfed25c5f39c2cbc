//! axum's extractors, with their refusals in our shape.

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::peer::Caller;
use crate::app::registry::Expected;
use crate::domain::request::depth::{DEPTH, is_too_deep};
use crate::domain::request_key::{BadRequestKey, RequestKey};

/// A JSON body. What does not fit is answered with 422, whatever its content type says.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| ApiError::Refused(e.body_text()))?;
        Self::read(&bytes)
    }
}

impl<T: DeserializeOwned> Body<T> {
    /// Reads what came.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        if is_too_deep(bytes) {
            return Err(ApiError::unfit("body", "", format!("the JSON nests deeper than {DEPTH}")));
        }
        let axum::Json(value) = axum::Json::from_bytes(bytes)
            .map_err(|error: JsonRejection| ApiError::unfit("body", "", error.body_text()))?;
        Ok(Self(value))
    }
}

/// The query string. What does not fit is answered with 422.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|error: serde::de::value::Error| {
            let field = culprit::<T>(query).unwrap_or_default();
            ApiError::unfit("query", &field, error.to_string())
        })
    }
}

/// The first key of a query that does not fit by itself. serde's own error does not say whose value it is about.
fn culprit<T: DeserializeOwned>(query: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let alone = |pair: &(String, String)| {
        let text = serde_urlencoded::to_string([pair]).ok()?;
        let error = serde_urlencoded::from_str::<T>(&text).err()?.to_string();
        // What is missing beside it is not its own fault.
        (!error.starts_with("missing field")).then(|| pair.0.clone())
    };
    let twice = |(at, pair): (usize, &(String, String))| {
        pairs.iter().take(at).any(|earlier| earlier.0 == pair.0).then(|| pair.0.clone())
    };
    let found = pairs.iter().find_map(alone).or_else(|| pairs.iter().enumerate().find_map(twice));
    found.map(|name| name.chars().take(64).collect())
}

/// The variable parts of the path. What does not fit is answered with 422.
#[derive(Clone, Copy, Debug)]
pub struct PathPart<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathPart<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state)
            .await
            .map_err(|error: PathRejection| ApiError::unfit("path", "", error.body_text()))?;
        Ok(Self(value))
    }
}

/// The `Idempotency-Key` header, where the request has one. A malformed one is answered with 422.
#[derive(Clone, Debug)]
pub struct Key(pub Option<RequestKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        const NAME: &str = "Idempotency-Key";
        let misfit = |error: BadRequestKey| ApiError::unfit("header", NAME, error.to_string());
        let mut keys = parts.headers.get_all(NAME).iter();
        let Some(key) = keys.next() else { return Ok(Self(None)) };
        if keys.next().is_some() {
            return Err(ApiError::unfit("header", NAME, "send one key, not several"));
        }
        let owner = parts.extensions.get::<Caller>().map(Caller::owner).unwrap_or_default();
        let key = key.to_str().map_err(|_| misfit(BadRequestKey))?;
        Ok(Self(Some(RequestKey::new(&owner, key).map_err(misfit)?)))
    }
}

/// The `If-Match` header, where the request has one: what its sender believes of a model. A malformed one is answered
/// with 422; what is no longer so, by whoever carries the request out, with 409 and what changed, which says more than
/// a 412.
#[derive(Clone, Debug)]
pub struct IfMatch(pub Option<Expected>);

impl IfMatch {
    /// As the description of the API names it.
    pub const NAME: &str = "If-Match";

    fn read(text: &str) -> Option<Option<Expected>> {
        if text == "*" {
            return Some(None);
        }
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        if text == "none" {
            return Some(Some(Expected::Production(None)));
        }
        let revision = text.strip_prefix('r').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(revision) = revision.and_then(|digits| digits.parse().ok()) {
            return Some(Some(Expected::Revision(revision)));
        }
        text.parse().ok().map(|version| Some(Expected::Production(Some(version))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let misfit = |message: &str| ApiError::unfit("header", Self::NAME, message);
        let mut tags = parts.headers.get_all(Self::NAME).iter();
        let Some(tag) = tags.next() else { return Ok(Self(None)) };
        if tags.next().is_some() {
            return Err(misfit("send one, not several"));
        }
        let expected = tag.to_str().ok().and_then(|text| Self::read(text.trim()));
        expected.map(Self).ok_or_else(|| {
            misfit(
                "send the ETag of the model, such as \"r17\", or what you believe to be in production: \
                    \"v20260117_034606\", or \"none\"",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_if_match_says() {
        let version = |text: &str| Some(Some(Expected::Production(text.parse().ok())));
        for (text, expected) in [
            ("\"r17\"", Some(Some(Expected::Revision(17)))),
            ("r17", Some(Some(Expected::Revision(17)))),
            ("\"v20260117_034606\"", version("v20260117_034606")),
            ("\"1.0.0\"", version("1.0.0")),
            ("\"none\"", Some(Some(Expected::Production(None)))),
            // It does not fit a number, so it is a name; nothing has it.
            ("\"r99999999999999999999\"", version("r99999999999999999999")),
            ("*", Some(None)),
            ("", None),
            ("\"\"", None),
            ("W/\"r17\"", None),
            ("\"r17\", \"r18\"", None),
            ("\"../x\"", None),
        ] {
            assert_eq!(IfMatch::read(text), expected, "{text}");
        }
    }
}
