use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::peer::ADMIN_GROUP;
use super::upload;

/// How long the daemon may take to begin an answer: longer than it allows itself, so that its own words arrive.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often a change that broke off is asked for again, and after which pause: as long as a restart takes.
const AGAIN: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// How long a file's next piece may take: the disk is ours, and the daemon sees to the rest.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is read of a file at once.
const FILE_PIECE: usize = 256 << 10;

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

    /// `PUT path` with a file as its body, read as the daemon takes it; however long that takes, as long as it goes on.
    pub async fn put_file<T: DeserializeOwned>(&self, path: &str, file: File) -> Result<T, ClientError> {
        let body = FileBody::new(file).map_err(|source| self.broken("reading the file", source))?;
        let (body, sent) = upload::watched(Body::new(body), FOR_EVER);
        let patience = async {
            sent.await;
            tokio::time::sleep(PATIENCE).await;
        };
        let response = self.request(Method::PUT, path, "application/octet-stream", None, body, patience).await?;
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
        let patience = tokio::time::sleep(PATIENCE);
        self.request(method, path, "application/json", key, Full::new(body), patience).await
    }

    async fn request<B>(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        key: Option<&str>,
        body: B,
        patience: impl Future<Output = ()>,
    ) -> Result<Response<Incoming>, ClientError>
    where
        B: HttpBody + Send + 'static,
        B::Data: Send,
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
        let mut request = Request::builder();
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .map_err(|source| self.broken("asking", source))?;
        tokio::select! {
            answer = sender.send_request(request) => answer.map_err(|source| self.broken("answering", source)),
            () = patience => Err(ClientError::Silent(self.socket.clone())),
        }
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

/// A file that is read as it is sent: a piece at a time, on a thread that may block.
struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl FileBody {
    fn new(mut file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let (sender, pieces) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            // What is written behind this while it is sent is not a part of it.
            let mut left = size;
            while left > 0 {
                let mut piece = vec![0; FILE_PIECE.min(usize::try_from(left).unwrap_or(FILE_PIECE))];
                let read = match file.read(&mut piece) {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                };
                left = left.saturating_sub(read.as_ref().map_or(left, |read| *read as u64));
                let piece = read.map(|read| Bytes::from(piece).slice(..read));
                if sender.blocking_send(piece).is_err() {
                    return;
                }
            }
        });
        Ok(Self { pieces, left: size })
    }
}

impl HttpBody for FileBody {
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
