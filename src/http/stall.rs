use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::places::Seat;

/// How long, and for how many bytes, the rest of an unwanted body is read and forgotten before the connection is closed.
/// Closed at once, it would be reset under the client's writing, and the answer that says why would be lost.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// A connection of which a write that makes no progress for `limit` fails. Without it a client that asks and never
/// reads keeps its answer, and its place among the connections, for ever. One that reads a byte now and then loses its
/// place to the next who needs it: its seat knows that a write waits.
pub(super) struct Stall<T> {
    inner: T,
    limit: Duration,
    seat: Arc<Seat>,
    // Made at the first write that waits; most never do.
    patience: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    // From when nothing more is written.
    lingering: Option<Pin<Box<Sleep>>>,
    forgotten: usize,
}

impl<T> Stall<T> {
    pub(super) fn new(inner: T, limit: Duration, seat: Arc<Seat>) -> Self {
        Self { inner, limit, seat, patience: None, waiting: false, lingering: None, forgotten: 0 }
    }

    fn watch<R>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            if self.waiting {
                self.waiting = false;
                self.seat.blocked(false);
            }
            return written;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + self.limit)));
        if !self.waiting {
            self.waiting = true;
            self.seat.blocked(true);
            patience.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(patience.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<T: AsyncRead + Unpin> Stall<T> {
    /// Reads and forgets until the client closes, or has had its time.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.forgotten < LINGER_BYTES {
            let mut into = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(context, &mut into) {
                Poll::Ready(Ok(())) if !into.filled().is_empty() => self.forgotten += into.filled().len(),
                Poll::Ready(_) => break,
                Poll::Pending => {
                    return self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER))).as_mut().poll(context);
                }
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stall<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, into);
        if into.filled().len() > before {
            self.seat.spoke();
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stall<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            if !self.seat.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        self.linger(context).map(Ok)
    }
}
