//! One request to a receiver: a connection of its own, TLS where the URL says so, no redirects, an end to everything.
//!
//! Not hyper-util's pooled client: events are few, and a connection that lay idle may be gone when it is used.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, RETRY_AFTER};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service as _;

use crate::names::{self, Unresolved};

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
    Unresolved(#[from] Unresolved),
    #[error("{at} cannot be reached: {source}")]
    Unreachable { at: SocketAddr, source: io::Error },
    #[error("no connection within {0} s")]
    SlowConnection(u64),
    #[error("{}: {why}", path.display())]
    Certificates { path: PathBuf, why: String },
    #[error("TLS: {0}")]
    Tls(String),
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
    let connecting = timeout(patience.connect, connect(uri, ca_file)).await;
    let stream = connecting.map_err(|_| NoAnswer::SlowConnection(patience.connect.as_secs()))??;
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

async fn connect(uri: &Uri, ca_file: Option<&Path>) -> Result<impl Read + Write + Unpin + Send + use<>, NoAnswer> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    let config = tls(ca_file).await?;
    let tcp = TokioIo::new(tcp(host, port).await?);
    // The connector asks for a connection when it wants one; this one is there already.
    let mut ready = Some(tcp);
    let given = tower::service_fn(move |_: Uri| {
        let tcp = ready.take().ok_or_else(|| io::Error::other("there is one connection only"));
        async move { tcp }
    });
    let mut connector = HttpsConnector::from((given, config));
    connector.call(uri.clone()).await.map_err(|error| NoAnswer::Tls(error.to_string()))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, NoAnswer> {
    let mut result = Err(NoAnswer::Request("the host has no address".into()));
    for address in names::resolve(host).await? {
        let at = SocketAddr::new(address, port);
        match TcpStream::connect(at).await {
            Ok(stream) => return Ok(stream),
            Err(source) => result = Err(NoAnswer::Unreachable { at, source }),
        }
    }
    result
}

/// What to trust. Made anew each time: a file of certificates is renewed under a daemon.
async fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, NoAnswer> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NoAnswer::Tls(error.to_string()))?;
    let Some(path) = ca_file.map(Path::to_owned) else {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    };
    let reading = tokio::task::spawn_blocking(move || trusted(&path)).await;
    let roots = reading.map_err(|error| NoAnswer::Request(error.to_string()))??;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn trusted(path: &Path) -> Result<RootCertStore, NoAnswer> {
    let failed = |why: String| NoAnswer::Certificates { path: path.to_owned(), why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("it holds no certificate in PEM".into())) } else { Ok(roots) }
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
