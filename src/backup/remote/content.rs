//! What requests carry: words, or a part of a file that is read as the connection takes it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::domain::model::Digest;

/// Bytes of a piece; two of them wait for the connection at most.
const PIECE: usize = 128 << 10;

/// What a request carries. It can be sent any number of times.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Bytes, Digest),
    Part(FilePart),
}

/// A part of a file.
#[derive(Clone, Debug)]
pub(super) struct FilePart {
    pub(super) path: PathBuf,
    pub(super) from: u64,
    pub(super) size: u64,
    /// Of these bytes. A file that turns out to be another one is not sent to its end.
    pub(super) sha256: Digest,
}

impl Content {
    pub(super) fn none() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Digest(Sha256::digest(&bytes).into());
        Self::Bytes(bytes, digest)
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes, _) => bytes.len() as u64,
            Self::Part(part) => part.size,
        }
    }

    pub(super) fn digest(&self) -> &Digest {
        match self {
            Self::Bytes(_, digest) => digest,
            Self::Part(part) => &part.sha256,
        }
    }

    /// It as the body of a request; begins to read.
    pub(super) fn body(&self, progress: &Arc<Progress>) -> Outgoing {
        let source = match self {
            Self::Bytes(bytes, _) => Source::Bytes(bytes.clone()),
            Self::Part(part) => {
                let (sender, receiver) = mpsc::channel(1);
                let (part, progress) = (part.clone(), progress.clone());
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = read(&part, &sender) {
                        let told = io::Error::new(error.kind(), error.to_string());
                        let _ = progress.failed.set((part.path, told));
                        let _ = sender.blocking_send(Err(error));
                    }
                });
                Source::Pieces(receiver)
            }
        };
        Outgoing { source, left: self.size(), progress: progress.clone() }
    }
}

/// Reads until all is sent, or nobody wants it any more. The last piece is given only when the digest fits: a store keeps
/// nothing of a request that breaks off.
fn read(part: &FilePart, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut file = File::open(&part.path)?;
    file.seek(SeekFrom::Start(part.from))?;
    let mut hash = Sha256::new();
    let mut left = part.size;
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE).min(PIECE)];
        file.read_exact(&mut piece)?;
        hash.update(&piece);
        left -= piece.len() as u64;
        if left == 0 && hash.clone().finalize()[..] != part.sha256.0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what it was when the backup was made"));
        }
        if to.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// How far a request is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes that the connection took.
    pub(super) taken: AtomicU64,
    /// What was wrong with our own file.
    pub(super) failed: OnceLock<(PathBuf, io::Error)>,
}

/// A [`Content`] on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    source: Source,
    left: u64,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Source {
    Bytes(Bytes),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = match &mut self.source {
            Source::Bytes(bytes) => std::mem::take(bytes),
            Source::Pieces(pieces) => match ready!(pieces.poll_recv(context)) {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            },
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        self.progress.taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_sent_as_long_as_it_is_the_one_that_was_meant() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let text: Vec<u8> = (0..3 * PIECE + 5).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &text).unwrap();
        let (from, size) = (7, 2 * PIECE as u64 + 11);
        let wanted = &text[7..7 + 2 * PIECE + 11];
        let part = FilePart { path: path.clone(), from, size, sha256: Digest(Sha256::digest(wanted).into()) };
        let content = Content::Part(part);
        for _ in 0..2 {
            let progress = Arc::default();
            let sent = content.body(&progress).collect().await.unwrap().to_bytes();
            assert_eq!(&sent[..], wanted);
            assert_eq!(progress.taken.load(Ordering::Relaxed), size);
        }
        std::fs::write(&path, vec![0; text.len()]).unwrap();
        let progress = Arc::default();
        let mut body = content.body(&progress);
        let mut arrived = 0;
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => arrived += frame.into_data().unwrap().len() as u64,
                Err(error) => break error,
            }
        };
        assert!(arrived < size && error.to_string().contains("not what it was"), "{arrived} of {size}: {error}");
        assert_eq!(progress.failed.get().unwrap().0, path);
    }
}
