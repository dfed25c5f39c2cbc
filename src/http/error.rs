use std::error::Error;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::accounts::{AccountError, SignInError};
use crate::domain::job::RefusalCode;

/// Why a request got no other answer. Its text goes to the client as `{"detail": …}`.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400: understood and refused.
    #[error("{0}")]
    Refused(String),
    /// 401: nobody in particular asked.
    #[error("{0}")]
    Unauthenticated(String),
    /// 403: somebody asked who may not.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405. The router adds `Allow`.
    #[error("{0}")]
    MethodNotAllowed(String),
    /// 408: the body did not come in time.
    #[error("the body did not arrive within {seconds} s")]
    SlowBody {
        /// The limit.
        seconds: u64,
    },
    /// 408: the body stopped coming.
    #[error("nothing of the body came for {seconds} s")]
    StalledBody {
        /// The limit.
        seconds: u64,
    },
    /// 409: somebody else was first.
    #[error("{0}")]
    Conflict(String),
    /// 409: what comes of a file is not what is missing of it.
    #[error("the upload has {offset} bytes: go on there")]
    WrongOffset {
        /// How much is here.
        offset: u64,
    },
    /// 413.
    #[error("the body is larger than {limit} bytes{advice}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What to do, behind a colon, where there is something.
        advice: &'static str,
    },
    /// 414: path or query are too long.
    #[error("{0}")]
    LongTarget(String),
    /// 415: a body of a kind that is not read here.
    #[error("{0}")]
    OtherMedia(&'static str),
    /// 416: a part that is not there.
    #[error("the file has {size} bytes: none of the range that is asked for")]
    NoSuchRange {
        /// How many it has.
        size: u64,
    },
    /// 421: the request is for another host.
    #[error(
        "this server is not known as {0}: use an address of this machine with its port, or add the name to http.hosts"
    )]
    Misdirected(String),
    /// 422: body or query do not have the expected shape.
    #[error("the request does not fit")]
    Unfit(Vec<Misfit>),
    /// 429: too many tries.
    #[error("{detail}")]
    TooMany {
        /// In words.
        detail: String,
        /// How long to wait.
        seconds: u64,
    },
    /// 503: not now.
    #[error("{0}")]
    Unavailable(String),
    /// 503: too many of this kind at once.
    #[error("{what}: try again in {seconds} s")]
    Crowded {
        /// Of what.
        what: &'static str,
        /// For `Retry-After`.
        seconds: u64,
    },
    /// 500: our own fault. The client learns nothing of it, the log everything.
    #[error("internal error: see the daemon's log")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

/// An answer's refusal in words, for whoever shows it as a page.
#[derive(Clone, Debug)]
pub(super) struct Refusal(pub(super) String);

/// The answer to a request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAnswer {
    /// Why.
    pub detail: Detail,
    /// What a worker makes of it; only workers are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<RefusalCode>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Detail {
    /// In a sentence.
    Sentence(String),
    /// What does not fit, and where.
    Misfits(Vec<Misfit>),
}

/// One thing that does not fit, in the shape in which the predecessor's framework wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Misfit {
    /// Where: `["body", "model_type"]`, `["query", "limit"]`; `["body", "7", "unit"]` in the seventh line.
    pub loc: Vec<String>,
    /// What is wrong.
    pub msg: String,
    /// The kind, for programs.
    pub r#type: String,
}

impl ApiError {
    /// An error of ours.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// One misfit at `place` (`body`, `query`, `path`), at a field of it where one is known.
    pub fn unfit(place: &str, field: &str, message: impl Into<String>) -> Self {
        let loc = [place, field].into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self::Unfit(vec![Misfit { loc, msg: message.into(), r#type: "value_error".to_owned() }])
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody { .. } | Self::StalledBody { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) | Self::WrongOffset { .. } => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::LongTarget(_) => StatusCode::URI_TOO_LONG,
            Self::OtherMedia(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSuchRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) | Self::Crowded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl ApiError {
    /// The same as an answer, with a code where workers are told one.
    pub(super) fn answer(self, code: Option<RefusalCode>) -> Response {
        let detail = match &self {
            Self::Unfit(misfits) => json!(misfits),
            other => json!(other.to_string()),
        };
        let body = match code {
            Some(code) => json!({ "detail": detail, "code": code }),
            None => json!({ "detail": detail }),
        };
        if let Self::Internal(error) = &self {
            tracing::error!("a request failed: {}", chain(error.as_ref()));
        }
        let mut response = (self.status(), Json(body)).into_response();
        response.extensions_mut().insert(Refusal(self.to_string()));
        match self {
            Self::Unauthenticated(_) => {
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"quantum-clm\""));
            }
            Self::TooMany { seconds, .. } | Self::Crowded { seconds, .. } => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::NoSuchRange { size } => {
                if let Ok(range) = HeaderValue::try_from(format!("bytes */{size}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, range);
                }
            }
            Self::WrongOffset { offset } => {
                response.headers_mut().insert("upload-offset", HeaderValue::from(offset));
            }
            // What is left of an unread body would be taken for the next request.
            Self::SlowBody { .. } | Self::StalledBody { .. } | Self::TooLarge { .. } => {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.answer(None)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Bad { field, why } => Self::unfit("body", field, why),
            AccountError::Unknown(_) => Self::NotFound(error.to_string()),
            AccountError::Conflict(_) | AccountError::LastAdmin(_) => Self::Conflict(error.to_string()),
            AccountError::Busy => Self::Unavailable(error.to_string()),
            AccountError::Random(_) | AccountError::Hash(_) => Self::internal(error),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong { .. } => Self::Forbidden(error.to_string()),
            SignInError::Wait { seconds } => Self::TooMany { detail: error.to_string(), seconds },
            SignInError::Account(error) => error.into(),
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
