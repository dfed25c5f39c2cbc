//! One request to a receiver: a connection of its own, TLS where the URL says so, no redirects, an end to everything.
//!
//! Not hyper-util's pooled client: events are few, and a connection that lay idle may be gone when it is used.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, RETRY_AFTER};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use tokio::time::timeout;

use crate::connect::{ConnectError, connect};

/// The most of an answer that is read: what it says is for people.
const ANSWER_BYTES: usize = 4_096;

/// The most of it that is kept, in characters.
const EXCERPT_CHARS: usize = 200;

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// The beginning of what it said, without control characters.
    pub(super) excerpt: String,
}

/// Why there is no answer. None holds more of the URL than host and port.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("no answer within {0} s")]
    Silent(u64),
    #[error("the exchange broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("it cannot be asked: {0}")]
    Request(String),
}

/// How long a receiver may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the connection, with TLS.
    pub(super) connect: Duration,
    /// For the answer.
    pub(super) answer: Duration,
}

/// Posts `body`. `ca_file` names the certificates to trust instead of the public ones.
pub(super) async fn post(
    uri: &Uri,
    ca_file: Option<&Path>,
    headers: HeaderMap,
    body: String,
    patience: Patience,
) -> Result<Answer, NoAnswer> {
    let request = request(uri, headers, body)?;
    let stream = connect(uri, ca_file, patience.connect).await?;
    timeout(patience.answer, exchange(stream, request))
        .await
        .map_err(|_| NoAnswer::Silent(patience.answer.as_secs()))?
}

fn request(uri: &Uri, headers: HeaderMap, body: String) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let failed = |error: &dyn std::fmt::Display| NoAnswer::Request(error.to_string());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let mut request =
        Request::post(target).header(HOST, host).body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn exchange(stream: impl Read + Write + Unpin + Send, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
    let (mut sender, connection) = http1::handshake(stream).await?;
    let asking = async move { read(sender.send_request(request).await?).await };
    tokio::pin!(asking, connection);
    let ended = tokio::select! {
        answer = &mut asking => return answer,
        ended = &mut connection => ended,
    };
    // A receiver that closed behind its answer is no failure: what it said is here already.
    match (asking.await, ended) {
        (Err(_), Err(error)) => Err(error.into()),
        (answer, _) => answer,
    }
}

async fn read(mut response: Response<hyper::body::Incoming>) -> Result<Answer, NoAnswer> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut said = Vec::new();
    // What was taken needs no words.
    while status / 100 != 2 && said.len() < ANSWER_BYTES {
        // An answer that breaks off in its words is an answer: the status counts.
        let Some(Ok(frame)) = response.body_mut().frame().await else { break };
        said.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    said.truncate(ANSWER_BYTES);
    Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), excerpt: excerpt(&said) })
}

fn excerpt(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(EXCERPT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_answer_is_short_and_plain() {
        assert_eq!(excerpt(b"<b>no\r\n\x1b[31m  way\0</b>"), "<b>no [31m way </b>");
        assert_eq!(excerpt(&[0xc3; 10_000]).chars().count(), EXCERPT_CHARS);
    }

    #[test]
    fn the_request_names_the_host_and_no_more() {
        let uri: Uri = "https://h.example:8443/a?b=c".parse().unwrap();
        let request = request(&uri, HeaderMap::new(), "{}".into()).unwrap();
        assert_eq!(
            (request.uri().to_string(), &request.headers()[HOST]),
            ("/a?b=c".into(), &"h.example:8443".parse().unwrap())
        );
    }
}
