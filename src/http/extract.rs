//! axum's extractors, with their refusals in our shape.

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::domain::request::depth::{DEPTH, is_too_deep};

/// A JSON body. What does not fit is answered with 422, whatever its content type says.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| ApiError::Refused(e.body_text()))?;
        if is_too_deep(&bytes) {
            return Err(ApiError::unfit("body", "", format!("the JSON nests deeper than {DEPTH}")));
        }
        let axum::Json(value) = axum::Json::from_bytes(&bytes)
            .map_err(|error: JsonRejection| ApiError::unfit("body", "", error.body_text()))?;
        Ok(Self(value))
    }
}

/// The query string. What does not fit is answered with 422.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::from_request_parts(parts, state)
            .await
            .map_err(|error: QueryRejection| ApiError::unfit("query", "", error.body_text()))?;
        Ok(Self(value))
    }
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
