//! Files as answers: whole or a part of them, read as the client takes them.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_range_header::{EndPosition, StartPosition, parse_range_header};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::error::ApiError;
use crate::artifacts::Content;
use crate::domain::model::{ArtifactFile, Digest};

/// What is read at once. A download has about three of them in memory.
const PIECE: usize = 64 << 10;

/// The digest of the whole file, also beside a part of it (RFC 9530).
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// What of a file a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing: the client has it.
    Nothing,
}

/// The file, or what the request asks for of it. `place` is given back once it was sent.
pub(super) fn answer(
    headers: &HeaderMap,
    file: &ArtifactFile,
    content: Content,
    place: OwnedSemaphorePermit,
) -> Result<Response, ApiError> {
    let size = content.size;
    let etag = HeaderValue::try_from(etag(&file.sha256)).map_err(ApiError::internal)?;
    let wanted = wanted(headers, &file.sha256, size)?;
    let (status, range) = match &wanted {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        Wanted::Nothing => return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response()),
    };
    let length = range.end - range.start;
    let mut response = Response::new(Body::new(Pieces::read(Arc::new(content), range.clone(), place)));
    *response.status_mut() = status;
    let own = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, disposition(file.path.file_name())),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (REPR_DIGEST, format!("sha-256=:{}:", STANDARD.encode(file.sha256.0))),
    ];
    for (name, value) in own {
        response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(ApiError::internal)?);
    }
    response.headers_mut().insert(header::ETAG, etag);
    // It never changes under its digest, but who may see it does: the client asks each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Wanted::Part(Range { start, end }) = wanted {
        let range = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
        response.headers_mut().insert(header::CONTENT_RANGE, HeaderValue::try_from(range).map_err(ApiError::internal)?);
    }
    Ok(response)
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// By RFC 9110: what is malformed counts as not said, and of several ranges at once the whole is the answer.
fn wanted(headers: &HeaderMap, digest: &Digest, size: u64) -> Result<Wanted, ApiError> {
    let own = etag(digest);
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(had) = text(header::IF_NONE_MATCH) {
        let is_own = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == own;
        if had.split(',').any(|tag| is_own(tag.trim())) {
            return Ok(Wanted::Nothing);
        }
    }
    // The part that is left of another file is of no use.
    if text(header::IF_RANGE).is_some_and(|had| had.trim() != own) {
        return Ok(Wanted::Whole);
    }
    let Some(parsed) = text(header::RANGE).and_then(|range| parse_range_header(range).ok()) else {
        return Ok(Wanted::Whole);
    };
    let [range] = parsed.ranges.as_slice() else { return Ok(Wanted::Whole) };
    let end = match range.end {
        EndPosition::Index(last) => last.saturating_add(1).min(size),
        EndPosition::LastByte => size,
    };
    let start = match range.start {
        StartPosition::Index(first) if first >= size => return Err(ApiError::NoSuchRange { size }),
        StartPosition::Index(first) => first,
        StartPosition::FromLast(count) => size.saturating_sub(count),
    };
    Ok(if start < end { Wanted::Part(start..end) } else { Wanted::Whole })
}

/// To be saved under its own name, whatever that is: beyond ASCII as RFC 8187 has it.
fn disposition(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let ascii: String = name.chars().map(|c| if u8::try_from(c).is_ok_and(plain) { c } else { '_' }).collect();
    if ascii == name {
        return format!("attachment; filename=\"{name}\"");
    }
    let encoded: String = name
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Pieces of a file, read one ahead of the client and no further.
struct Pieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Pieces {
    fn read(content: Arc<Content>, range: Range<u64>, place: OwnedSemaphorePermit) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        let left = range.end - range.start;
        tokio::spawn(async move {
            let _place = place;
            let mut at = range.start;
            while at < range.end {
                // Room first: a thread is taken for a read, never for a client that does not take what was read.
                let Ok(room) = sender.reserve().await else { return };
                let most = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE);
                let content = Arc::clone(&content);
                let read = tokio::task::spawn_blocking(move || content.read_at(at, most)).await;
                let piece = match read {
                    // The client was told how many bytes come; an end before them is an error to it.
                    Ok(Ok(piece)) if piece.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => read,
                    Err(error) => Err(io::Error::other(error)),
                };
                at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                let failed = piece.is_err();
                room.send(piece.map(Bytes::from));
                if failed {
                    return;
                }
            }
        });
        Self { pieces, left }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.pieces.poll_recv(context).map(|piece| {
            let piece = piece?;
            if let Ok(bytes) = &piece {
                self.left = self.left.saturating_sub(bytes.len() as u64);
            }
            Some(piece.map(Frame::data))
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: Digest = Digest([0xab; 32]);

    fn wanted_of(lines: &[(&'static str, String)]) -> Result<Wanted, u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        wanted(&headers, &DIGEST, 100).map_err(|error| error.status().as_u16())
    }

    #[test]
    fn what_a_request_asks_for() {
        use Wanted::{Nothing, Part, Whole};
        let own = etag(&DIGEST);
        let range = |text: &str| vec![("range", text.to_owned())];
        for (lines, expected) in [
            (vec![], Ok(Whole)),
            (range("bytes=0-9"), Ok(Part(0..10))),
            (range("bytes=90-"), Ok(Part(90..100))),
            (range("bytes=90-1000"), Ok(Part(90..100))),
            (range("bytes=-10"), Ok(Part(90..100))),
            (range("bytes=-1000"), Ok(Part(0..100))),
            (range("bytes=99-99"), Ok(Part(99..100))),
            (range("bytes=100-"), Err(416)),
            (range("bytes=18446744073709551615-18446744073709551615"), Err(416)),
            (range("bytes=9-0"), Ok(Whole)),
            (range("bytes=x"), Ok(Whole)),
            (range("lines=1-2"), Ok(Whole)),
            (range("bytes=0-1,5-6"), Ok(Whole)),
            (vec![("if-none-match", own.clone())], Ok(Nothing)),
            (vec![("if-none-match", format!("\"x\", W/{own}"))], Ok(Nothing)),
            (vec![("if-none-match", "*".to_owned())], Ok(Nothing)),
            (vec![("if-none-match", "\"x\"".to_owned())], Ok(Whole)),
            (vec![("range", "bytes=5-".to_owned()), ("if-range", own.clone())], Ok(Part(5..100))),
            (vec![("range", "bytes=5-".to_owned()), ("if-range", "\"x\"".to_owned())], Ok(Whole)),
            (vec![("range", "bytes=5-".to_owned()), ("if-range", format!("W/{own}"))], Ok(Whole)),
        ] {
            assert_eq!(wanted_of(&lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn names_to_save_it_under() {
        for (name, expected) in [
            ("model.onnx", "attachment; filename=\"model.onnx\""),
            ("a \"b\";.bin", "attachment; filename=\"a__b__.bin\"; filename*=UTF-8''a%20%22b%22%3B.bin"),
            ("größe", "attachment; filename=\"gr__e\"; filename*=UTF-8''gr%C3%B6%C3%9Fe"),
        ] {
            assert_eq!(disposition(name), expected);
        }
    }
}
