//! Connections over TCP, with TLS where the URL says so: for webhooks and for workers on other machines.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, Write};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service as _;

use crate::names::{self, Unresolved};

/// Why there is no connection. None holds more of the URL than host and port.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name says nothing.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// Nobody is there.
    #[error("{at} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It took too long.
    #[error("no connection within {0} s")]
    Slow(u64),
    /// What to trust cannot be read.
    #[error("{}: {why}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The other side is not who it should be, or speaks no TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// Something of our own.
    #[error("it cannot be asked: {0}")]
    Own(String),
}

/// Connects to the host of `uri`, with TLS where its scheme is https. `ca_file` names the certificates to trust instead
/// of the public ones.
pub async fn connect(
    uri: &Uri,
    ca_file: Option<&Path>,
    patience: Duration,
) -> Result<impl Read + Write + Unpin + Send + use<>, ConnectError> {
    timeout(patience, connected(uri, ca_file)).await.map_err(|_| ConnectError::Slow(patience.as_secs()))?
}

async fn connected(
    uri: &Uri,
    ca_file: Option<&Path>,
) -> Result<impl Read + Write + Unpin + Send + use<>, ConnectError> {
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
    connector.call(uri.clone()).await.map_err(|error| ConnectError::Tls(error.to_string()))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let mut result = Err(ConnectError::Own("the host has no address".into()));
    for address in names::resolve(host).await? {
        let at = SocketAddr::new(address, port);
        match TcpStream::connect(at).await {
            Ok(stream) => return Ok(stream),
            Err(source) => result = Err(ConnectError::Unreachable { at, source }),
        }
    }
    result
}

/// What to trust. Made anew each time: a file of certificates is renewed under a daemon.
async fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    let Some(path) = ca_file.map(Path::to_owned) else {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    };
    let reading = tokio::task::spawn_blocking(move || trusted(&path)).await;
    let roots = reading.map_err(|error| ConnectError::Own(error.to_string()))??;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn trusted(path: &Path) -> Result<RootCertStore, ConnectError> {
    let failed = |why: String| ConnectError::Certificates { path: path.to_owned(), why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("it holds no certificate in PEM".into())) } else { Ok(roots) }
}
