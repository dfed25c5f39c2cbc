//! A real HTTP server on a port of this machine that takes webhooks, with or without TLS.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The signature by an implementation that is not ours.
    #[track_caller]
    pub(crate) fn assert_signed(&self, secret: &str) {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha256", "-mac", "HMAC", "-binary", "-macopt", &format!("hexkey:{hex}")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("openssl, of the package of that name");
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        openssl.stdin.take().expect("its input").write_all(signed.as_bytes()).expect("it reads");
        let digest = openssl.wait_with_output().expect("it ends").stdout;
        let signatures: Vec<_> = self.header("webhook-signature").split(' ').collect();
        use base64::Engine as _;
        let expected = format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(digest));
        assert!(signatures.contains(&expected.as_str()), "{expected} is not among {signatures:?}");
    }
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status, further headers (each with its line end) and body.
    Say(u16, &'static str, &'static str),
    /// Nothing, ever.
    Hang,
    /// The end of the connection.
    Close,
}

#[derive(Default)]
struct Desk {
    received: Vec<Received>,
    next: VecDeque<Reply>,
    otherwise: Option<Reply>,
}

/// The server. Its threads end with the test.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) port: u16,
    desk: Arc<Mutex<Desk>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::serve(None)
    }

    /// With TLS, by the certificate of [`Certificates`].
    pub(crate) fn start_tls(certificates: &Certificates) -> Self {
        let chain = CertificateDer::pem_file_iter(certificates.file("server.pem")).expect("a file");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(certificates.file("server.key")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        Self::serve(Some(Arc::new(config)))
    }

    fn serve(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let receiver = Self { port: listener.local_addr().expect("an address").port(), desk: Arc::default() };
        let desk = receiver.desk.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), desk, tls) = (stream, desk.clone(), tls.clone()) else { continue };
                std::thread::spawn(move || match tls {
                    None => serve(stream, &desk).unwrap_or_default(),
                    Some(config) => {
                        let connection = ServerConnection::new(config).expect("a connection");
                        serve(StreamOwned::new(connection, stream), &desk).unwrap_or_default();
                    }
                });
            }
        });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?key=k3y-in-the-query", self.port)
    }

    /// What it does with the next requests, each once.
    pub(crate) fn next(&self, replies: &[Reply]) {
        self.desk.lock().expect("the lock").next.extend(replies.iter().cloned());
    }

    /// What it does with all others; 204 where nothing was said.
    pub(crate) fn otherwise(&self, reply: Option<Reply>) {
        self.desk.lock().expect("the lock").otherwise = reply;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.desk.lock().expect("the lock").received.clone()
    }

    /// The ids that it saw, repeats too.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.received().iter().map(|request| request.header("webhook-id").to_owned()).collect()
    }
}

/// One connection with one request.
fn serve(stream: impl Read + Write, desk: &Mutex<Desk>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let reply = {
        let mut desk = desk.lock().expect("the lock");
        desk.received.push(Received { line: first, headers, body });
        let next = desk.next.pop_front();
        next.or_else(|| desk.otherwise.clone()).unwrap_or(Reply::Say(204, "", ""))
    };
    match reply {
        Reply::Say(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
            reader.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()?;
            reader.get_mut().flush().ok()
        }
        Reply::Hang => {
            // Until the other side has enough of it.
            let _ = reader.read(&mut [0]);
            None
        }
        Reply::Close => None,
    }
}

/// A private authority and a certificate for `localhost`.
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let certificates = Self(tempfile::tempdir().expect("a directory"));
        let directory = certificates.0.path();
        std::fs::write(directory.join("names"), "subjectAltName=DNS:localhost\n").expect("a file");
        for line in [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
        ] {
            let made = Command::new("openssl").args(line.split(' ')).current_dir(directory).output().expect("openssl");
            assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
        }
        certificates
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Writes a secret as the configuration wants it.
pub(crate) fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
    file.expect("a file").write_all(text.as_bytes()).expect("its text");
}
