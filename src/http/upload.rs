//! Bodies that are handed on as they come, because they are larger than memory.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use super::error::ApiError;

/// A body of which nothing came for too long.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nothing of the body came for {seconds} s")]
struct Stalled {
    seconds: u64,
}

/// The body, which fails when nothing of it comes for `stall`; and a future that is over with it. Time counts while the
/// reader waits for the client, and not while the client waits for the reader.
pub(super) fn watched(body: Body, stall: Duration) -> (Body, impl Future<Output = ()>) {
    let (until, ended) = oneshot::channel();
    let body = Watched { body, stall, patience: Box::pin(sleep(stall)), waits: false, until: Some(until) };
    let ended = async {
        // Dropped rather than sent: the reader may leave before the end.
        let _: Result<(), _> = ended.await;
    };
    (Body::new(body), ended)
}

struct Watched {
    body: Body,
    stall: Duration,
    patience: Pin<Box<Sleep>>,
    waits: bool,
    until: Option<oneshot::Sender<()>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waits = false;
            if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
                self.until = None;
            }
            return Poll::Ready(frame);
        }
        if !self.waits {
            self.waits = true;
            let until = Instant::now() + self.stall;
            self.patience.as_mut().reset(until);
        }
        ready!(self.patience.as_mut().poll(context));
        self.until = None;
        Poll::Ready(Some(Err(axum::Error::new(Stalled { seconds: self.stall.as_secs() }))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request to a route that takes uploads.
#[derive(Debug)]
pub struct Upload(Body);

impl Upload {
    /// How long it says that it is.
    pub fn length(&self) -> Option<u64> {
        self.0.size_hint().exact()
    }

    /// The next bytes of it; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    // Trailers say nothing that is wanted here.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    return Err(match stalled(&error) {
                        Some(Stalled { seconds }) => ApiError::StalledBody { seconds },
                        None => ApiError::Refused(format!("the body broke off: {error}")),
                    });
                }
            }
        }
    }
}

fn stalled(error: &axum::Error) -> Option<Stalled> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(stalled) = error.downcast_ref::<Stalled>() {
            return Some(*stalled);
        }
        next = error.source();
    }
    None
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(request.into_body()))
    }
}
