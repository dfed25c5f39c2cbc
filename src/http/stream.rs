use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::stop::Stopping;

/// An answer of lines (`application/x-ndjson`) that come over a channel; each item ends with its line feed. It ends
/// when the sender is dropped; a client that left drops the receiver, so the sender's `send` fails.
pub fn lines(lines: mpsc::Receiver<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(lines))).into_response()
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

/// The body, with a proper end when the daemon stops: a follower is told, instead of cut off at the deadline.
pub(super) fn until_stopped(body: Body, stopping: Stopping) -> Body {
    let stopped = Box::pin(async move { stopping.asked().await });
    Body::new(UntilStopped { body, stopped })
}

struct UntilStopped {
    body: Body,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
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
