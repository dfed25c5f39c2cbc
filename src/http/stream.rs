use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::stop::Stopping;

/// An answer of lines (`application/x-ndjson`) that come over a channel; each item ends with its line feed. It ends
/// when the sender is dropped; a client that left drops the receiver, so the sender's `send` fails.
pub fn lines(lines: mpsc::Receiver<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(lines))).into_response()
}

/// An answer of server-sent events (`text/event-stream`), likewise; each item ends with the blank line.
pub fn events(parts: mpsc::Receiver<Bytes>) -> Response {
    // nginx collects what it passes on unless it is told not to.
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Body::new(Lines(parts))).into_response()
}

struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Places for answers that go on, fewer than there are connections. Requests over TCP carry them as an extension.
#[derive(Clone, Debug)]
pub(super) struct StreamPlaces(Arc<Semaphore>);

impl StreamPlaces {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(limit)))
    }

    /// One of them, if one is free: a follower that waited for it would hold a connection instead.
    pub(super) fn take(&self) -> Option<StreamPlace> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(|permit| StreamPlace { _permit: permit })
    }
}

/// One place; free again when dropped.
pub(super) struct StreamPlace {
    _permit: OwnedSemaphorePermit,
}

/// The body, with a proper end when the daemon stops: a follower is told, instead of cut off at the deadline. It keeps its
/// place as long as it lasts.
pub(super) fn until_stopped(body: Body, stopping: Stopping, place: Option<StreamPlace>) -> Body {
    let stopped = Box::pin(async move { stopping.asked().await });
    Body::new(UntilStopped { body, stopped, _place: place })
}

struct UntilStopped {
    body: Body,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: Option<StreamPlace>,
}

impl HttpBody for UntilStopped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // What is ready goes out first: the last events before a stop are the interesting ones.
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => self.stopped.as_mut().poll(context).map(|()| None),
            ready => ready,
        }
    }
}
