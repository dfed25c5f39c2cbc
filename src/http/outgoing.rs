//! A file as the body of a request that commands and workers send.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Bytes of a piece.
const PIECE: usize = 64 << 10;

/// A file, read piece by piece as the connection takes them: a large one takes no memory. The reading blocks, which
/// disturbs nobody in a process that has little else to do; it is not for the daemon.
#[derive(Debug)]
pub(super) struct OutgoingFile {
    file: File,
    left: u64,
    sent: Arc<AtomicU64>,
}

impl OutgoingFile {
    /// The file as long as it is now, from `offset` on, where it stands. What is appended meanwhile is not sent; one that becomes shorter is an error.
    /// `sent` counts what the connection took.
    pub(super) fn from(file: File, offset: u64, sent: Arc<AtomicU64>) -> io::Result<Self> {
        let left = file.metadata()?.len().saturating_sub(offset);
        Ok(Self { file, left, sent })
    }
}

impl Body for OutgoingFile {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; most];
        let read = match self.file.read(&mut piece) {
            Ok(0) => return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter")))),
            Ok(read) => read,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        piece.truncate(read);
        self.left -= read as u64;
        self.sent.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
