use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::outgoing::OutgoingFile;
use super::peer::ADMIN_GROUP;

/// How long the daemon may take to begin an answer: longer than it allows itself, so that its own words arrive.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often a change that broke off is asked for again, and after which pause: as long as a restart takes.
const AGAIN: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// Why a command got no answer that it can use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers at {}: start it with systemctl start quantum-clm, or pass --data-file to read the file offline",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// The socket is not for this user.
    #[error(
        "no permission to use {}: become root or a member of the group {ADMIN_GROUP} (adduser NAME {ADMIN_GROUP}, then sign in again)",
        .0.display()
    )]
    Permission(PathBuf),
    /// The connection could not be made, or broke.
    #[error("the daemon at {} broke off while {step}: {source}: see journalctl -u quantum-clm", .socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What was under way.
        step: &'static str,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("the daemon at {} did not answer within {} s: see journalctl -u quantum-clm", .0.display(), PATIENCE.as_secs())]
    Silent(PathBuf),
    /// The daemon refused.
    #[error("{detail}")]
    Refused {
        /// With which status.
        status: StatusCode,
        /// In which words.
        detail: String,
    },
    /// Another version answers.
    #[error(
        "the daemon's answer to {path} is not understood ({source}): is it of another version? systemctl restart quantum-clm"
    )]
    Answer {
        /// What was asked.
        path: String,
        /// What does not fit.
        source: serde_json::Error,
    },
}

/// The commands' client. Each request makes a connection of its own; a command makes few.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon that listens on `socket`. Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Where it connects to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET path`.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new(), None).await?;
        self.parse(path, self.accepted(response).await?).await
    }

    /// `GET path`, with the answer whatever its status: for `/health`, whose body counts also with a 503.
    pub async fn get_any<T: DeserializeOwned>(&self, path: &str) -> Result<(StatusCode, T), ClientError> {
        let response = self.send(Method::GET, path, Bytes::new(), None).await?;
        Ok((response.status(), self.parse(path, response).await?))
    }

    /// `POST path` with a JSON body.
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.change(Method::POST, path, body, None).await
    }

    /// `POST path` with a JSON body, carried out once: it has an `Idempotency-Key` of its own, under which it is asked
    /// again where the answer breaks off, as it does when the daemon is restarted.
    pub async fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| self.broken("making a key", error))?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut again = AGAIN;
        loop {
            let result = self.change(Method::POST, path, body, Some(&key)).await;
            match (&result, again) {
                (Err(ClientError::Broken { .. }), 1..) => again -= 1,
                // Asked before: it is away for a moment.
                (Err(ClientError::NoDaemon(_)), 1..AGAIN) => again -= 1,
                _ => return result,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `PUT path` with a JSON body.
    pub async fn put_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.change(Method::PUT, path, body, None).await
    }

    /// `POST path` with a JSON body, for what takes as long as it takes, such as reading large files: the daemon itself says
    /// when that is too long.
    pub async fn post_at_length<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Answer { path: path.to_owned(), source })?;
        let request = Request::builder().method(Method::POST).uri(path).header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body)));
        let request = request.map_err(|source| self.broken("asking", source))?;
        let response = self.connected(request).await?.await.map_err(|source| self.broken("answering", source))?;
        self.parse(path, self.accepted(response).await?).await
    }

    /// `PUT path` with a file, which is read as it is sent. It may take as long as it takes: the daemon ends what does not
    /// go on.
    pub async fn put_file<T: DeserializeOwned>(&self, path: &str, file: &Path) -> Result<T, ClientError> {
        let file = File::open(file).map_err(|source| self.broken("reading a file", source))?;
        self.put_open_file(path, file).await
    }

    /// The same for a file that is open already.
    pub async fn put_open_file<T: DeserializeOwned>(&self, path: &str, file: File) -> Result<T, ClientError> {
        let body = OutgoingFile::new(file).map_err(|source| self.broken("reading a file", source))?;
        let request = Request::builder().method(Method::PUT).uri(path).header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(body);
        let request = request.map_err(|source| self.broken("asking", source))?;
        let response = self.connected(request).await?.await.map_err(|source| self.broken("answering", source))?;
        self.parse(path, self.accepted(response).await?).await
    }

    /// `DELETE path`, with what was there as the answer.
    pub async fn delete_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::DELETE, path, Bytes::new(), None).await?;
        self.parse(path, self.accepted(response).await?).await
    }

    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Answer { path: path.to_owned(), source })?;
        let response = self.send(method, path, body.into(), key).await?;
        self.parse(path, self.accepted(response).await?).await
    }

    /// `GET path`, whose answer is lines that come as they happen.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new(), None).await?;
        let body = self.accepted(response).await?.into_body();
        Ok(Lines::new(self.socket.clone(), body))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder();
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|source| self.broken("asking", source))?;
        match timeout(PATIENCE, self.connected(request).await?).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) => Err(self.broken("answering", source)),
            Err(_) => Err(ClientError::Silent(self.socket.clone())),
        }
    }

    /// Connects and begins to send; the answer is what to wait for.
    async fn connected<B>(
        &self,
        request: Request<B>,
    ) -> Result<impl Future<Output = hyper::Result<Response<Incoming>>> + use<B>, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoDaemon(self.socket.clone()),
            io::ErrorKind::PermissionDenied => ClientError::Permission(self.socket.clone()),
            _ => self.broken("connecting", source),
        })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| self.broken("connecting", source))?;
        // Ends with the sender and the answer's body; its error is also theirs.
        tokio::spawn(connection);
        Ok(async move { sender.send_request(request).await })
    }

    async fn accepted(&self, response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.whole(response).await?;
        Err(ClientError::Refused { status, detail: detail(status, &body) })
    }

    async fn parse<T: DeserializeOwned>(&self, path: &str, response: Response<Incoming>) -> Result<T, ClientError> {
        let body = self.whole(response).await?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Answer { path: path.to_owned(), source })
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = response.into_body().collect().await.map_err(|source| self.broken("answering", source))?;
        Ok(body.to_bytes())
    }

    fn broken(&self, step: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
        ClientError::Broken { socket: self.socket.clone(), step, source: source.into() }
    }
}

/// The daemon's words, or at least the status.
fn detail(status: StatusCode, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match &body["detail"] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(misfits) => {
            let misfits = misfits.iter().map(|misfit| {
                let msg = misfit["msg"].as_str().unwrap_or("does not fit");
                // Which parameter it is about stands last; the body as a whole has no name.
                match misfit["loc"].as_array().filter(|loc| loc.len() > 1).and_then(|loc| loc.last()?.as_str()) {
                    Some(name) => format!("{name}: {msg}"),
                    None => msg.to_owned(),
                }
            });
            misfits.collect::<Vec<_>>().join("; ")
        }
        _ => format!("the daemon answered {status}"),
    }
}

/// Lines of an answer that goes on.
#[derive(Debug)]
pub struct Lines {
    socket: PathBuf,
    body: Incoming,
    buffer: Vec<u8>,
    // Where the next line begins, and how far from there no line feed was found.
    start: usize,
    searched: usize,
    over: bool,
}

impl Lines {
    fn new(socket: PathBuf, body: Incoming) -> Self {
        Self { socket, body, buffer: Vec::new(), start: 0, searched: 0, over: false }
    }

    /// The next line, without its line feed; `None` once the daemon has ended the answer (it stops). Dropping this
    /// future loses nothing.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let end = self.searched + length;
                let line = String::from_utf8_lossy(&self.buffer[self.start..end]).into_owned();
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(line));
            }
            // Once a refill, not once a line: a frame holds hundreds.
            self.buffer.drain(..self.start);
            self.start = 0;
            self.searched = self.buffer.len();
            if self.over {
                self.searched = 0;
                let last = std::mem::take(&mut self.buffer);
                return Ok((!last.is_empty()).then(|| String::from_utf8_lossy(&last).into_owned()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(source)) => {
                    self.over = true;
                    let source = source.into();
                    return Err(ClientError::Broken { socket: self.socket.clone(), step: "answering", source });
                }
                None => self.over = true,
            }
        }
    }
}
