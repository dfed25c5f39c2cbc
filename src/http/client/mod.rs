//! The client of commands and workers: over the unix socket, or over the network with a token.

mod error;
mod files;
mod lines;
mod upload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

pub use self::error::{ClientError, Place};
pub use self::lines::Lines;
pub use self::upload::Target;
use crate::config::Worker;
use crate::connect::connect;

/// How long the daemon may take to begin an answer: longer than it allows itself, so that its own words arrive.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long a connection over the network may take, with TLS.
const CONNECT: Duration = Duration::from_secs(15);

/// How often a change that broke off is asked for again, and after which pause: as long as a restart takes.
const AGAIN: u32 = 6;
const PAUSE: Duration = Duration::from_millis(500);

/// The daemon, as it is asked. Each request makes a connection of its own; those who ask make few.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    /// Whose token and certificates count over the network.
    worker: Option<Arc<Worker>>,
}

/// A connection of either kind.
trait Stream: Read + Write + Unpin + Send {}
impl<T: Read + Write + Unpin + Send> Stream for T {}

impl Client {
    /// A client of the daemon that listens on `socket`. Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { place: Place::Socket(socket.into()), worker: None }
    }

    /// A client of the daemon that a worker is configured for; without a URL, of that on `socket`.
    pub fn of_worker(worker: &Worker, socket: &Path) -> Self {
        match &worker.url {
            Some(url) => Self { place: Place::Url(url.clone()), worker: Some(Arc::new(worker.clone())) },
            None => Self::new(socket),
        }
    }

    /// Where it connects to.
    pub fn place(&self) -> &Place {
        &self.place
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

    /// `POST path` with a JSON body; none where the answer is 204.
    pub async fn post_for_some<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Option<T>, ClientError> {
        let response = self.send(Method::POST, path, json(path, body)?, None).await?;
        let response = self.accepted(response).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.parse(path, response).await.map(Some)
    }

    /// `POST path` with bytes as they are.
    pub async fn post_bytes<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, ClientError> {
        let request = self.request(Method::POST, path)?.header(header::CONTENT_TYPE, "application/octet-stream");
        let request = request.body(Full::new(body)).map_err(|source| self.broken("asking", source))?;
        let response = self.answer(request, PATIENCE).await?;
        self.parse(path, self.accepted(response).await?).await
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
        let request = self.request(Method::POST, path)?.header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(json(path, body)?)).map_err(|source| self.broken("asking", source))?;
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
        let response = self.send(method, path, json(path, body)?, key).await?;
        self.parse(path, self.accepted(response).await?).await
    }

    /// `GET path`, whose answer is lines that come as they happen.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new(), None).await?;
        let body = self.accepted(response).await?.into_body();
        Ok(Lines::new(self.place.clone(), body))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        key: Option<&str>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = self.request(method, path)?;
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|source| self.broken("asking", source))?;
        self.answer(request, PATIENCE).await
    }

    /// What every request begins with.
    fn request(&self, method: Method, path: &str) -> Result<hyper::http::request::Builder, ClientError> {
        let request = Request::builder().method(method).uri(path);
        match &self.place {
            Place::Socket(_) => Ok(request.header(header::HOST, "localhost")),
            Place::Url(url) => {
                let host = url.uri().authority().map_or("", |authority| authority.as_str());
                let request = request.header(header::HOST, host);
                let token = self.worker.as_ref().map(|worker| worker.token()).transpose()?.flatten();
                Ok(match token {
                    Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose().trim())),
                    None => request,
                })
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>, patience: Duration) -> Result<Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match timeout(patience, self.connected(request).await?).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) => Err(self.broken("answering", source)),
            Err(_) => Err(self.silent(patience)),
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
        let (mut sender, connection) = hyper::client::conn::http1::handshake(self.stream().await?)
            .await
            .map_err(|source| self.broken("connecting", source))?;
        // Ends with the sender and the answer's body; its error is also theirs.
        tokio::spawn(connection);
        Ok(async move { sender.send_request(request).await })
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, ClientError> {
        match &self.place {
            Place::Socket(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoDaemon(socket.clone()),
                    io::ErrorKind::PermissionDenied => ClientError::Permission(socket.clone()),
                    _ => self.broken("connecting", source),
                })?;
                Ok(Box::new(TokioIo::new(stream)))
            }
            Place::Url(url) => {
                let ca_file = self.worker.as_ref().and_then(|worker| worker.ca_file.as_deref());
                let connected = connect(url.uri(), ca_file, CONNECT).await;
                let unreachable = |source| ClientError::Unreachable { url: Box::new(url.clone()), source };
                connected.map(|stream| Box::new(stream) as Box<dyn Stream>).map_err(unreachable)
            }
        }
    }

    async fn accepted(&self, response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.whole(response).await?;
        Err(ClientError::Refused { status, detail: error::detail(status, &body), code: error::code(&body) })
    }

    async fn parse<T: DeserializeOwned>(&self, path: &str, response: Response<Incoming>) -> Result<T, ClientError> {
        let body = self.whole(response).await?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Answer { path: path.to_owned(), source })
    }

    /// An answer that is in memory as a whole; one that stops coming is none.
    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let reading = timeout(PATIENCE, response.into_body().collect()).await;
        let body = reading.map_err(|_| self.silent(PATIENCE))?.map_err(|source| self.broken("answering", source))?;
        Ok(body.to_bytes())
    }

    fn broken(&self, step: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
        ClientError::Broken { place: self.place.clone(), step, source: source.into() }
    }

    fn silent(&self, patience: Duration) -> ClientError {
        ClientError::Silent { place: self.place.clone(), seconds: patience.as_secs() }
    }
}

fn json(path: &str, body: &impl Serialize) -> Result<Bytes, ClientError> {
    let body = serde_json::to_vec(body).map_err(|source| ClientError::Answer { path: path.to_owned(), source })?;
    Ok(body.into())
}
