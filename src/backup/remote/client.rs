//! Requests to the store: signed, one after the other on one connection, tried again where that may help, with an end to
//! everything.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, DATE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::address::Endpoint;
use super::content::{Content, Outgoing, Progress};
use super::error::{Problem, Refusal};
use super::sign::{self, Signed, Signer};
use super::xml;
use crate::connect::connect;
use crate::domain::webhook::Pauses;
use crate::observe::now;

/// The most of an answer that is read whole: a thousand keys of a kilobyte, and what stands around them.
const ANSWER_BYTES: usize = 4 << 20;

/// The most of a refusal that is read.
const REFUSAL_BYTES: usize = 64 << 10;

/// The most characters of its words that are shown.
const WORDS: usize = 300;

/// How long a store is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, with TLS.
    pub connect: Duration,
    /// For anything at all to happen on it.
    pub silence: Duration,
    /// How often a request is tried.
    pub tries: u32,
    /// Between two tries.
    pub pauses: Pauses,
    /// For an object, with all tries and pauses; as much more as its bytes take at [`Patience::rate`].
    pub object: Duration,
    /// Bytes a second that an object comes with at least: a byte now and then is no silence, and no end either.
    pub rate: u64,
}

impl Patience {
    /// How long an object of `size` bytes is waited for.
    fn enough(&self, size: u64) -> Duration {
        self.object.saturating_add(Duration::from_secs(size / self.rate.max(1)))
    }
}

impl Default for Patience {
    /// A store that is started again is waited for, about a minute and a half.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            tries: 8,
            pauses: Pauses { first: 1_000_000, most: 30_000_000 },
            object: Duration::from_secs(20 * 60),
            rate: 32 << 10,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    /// What a policy calls it, for whoever has to allow it.
    pub(super) action: &'static str,
    pub(super) method: Method,
    /// None is the bucket itself.
    pub(super) key: Option<&'a str>,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
    /// Times the usual silence that it may take.
    pub(super) slow: u32,
}

impl<'a> Ask<'a> {
    pub(super) fn new(action: &'static str, method: Method, key: Option<&'a str>) -> Self {
        Self { action, method, key, query: &[], headers: Vec::new(), content: Content::none(), slow: 1 }
    }
}

/// An answer that was read to its end; the store did what was asked.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A store, as one bucket of it is asked.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) bucket: String,
    pub(super) signer: Signer,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) patience: Patience,
    /// A connection that waits for the next request.
    idle: Mutex<Option<Line>>,
    reached: AtomicBool,
}

/// A connection, and the task that drives it; ends with it.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Outgoing>,
    task: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer that is read piece by piece.
#[derive(Debug)]
pub(super) struct Incomings<'a> {
    client: &'a Client,
    response: Response<Incoming>,
    line: Option<Line>,
}

impl Client {
    pub(super) fn new(
        endpoint: Endpoint,
        bucket: String,
        signer: Signer,
        ca_file: Option<PathBuf>,
        patience: Patience,
    ) -> Self {
        Self { endpoint, bucket, signer, ca_file, patience, idle: Mutex::default(), reached: AtomicBool::new(false) }
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Problem> {
        let mut failures = 0;
        loop {
            match self.ask_once(ask).await {
                Ok(answer) => return Ok(answer),
                Err(problem) => self.again(&mut failures, problem).await?,
            }
        }
    }

    async fn ask_once(&self, ask: &Ask<'_>) -> Result<Answer, Problem> {
        let mut pieces = self.once(ask).await?;
        let headers = std::mem::take(pieces.response.headers_mut());
        let mut body = Vec::new();
        // To HEAD there is none, whatever its headers say.
        while let Some(piece) = pieces.next().await? {
            if body.len() + piece.len() > ANSWER_BYTES {
                return Err(self.strange(format!("it is longer than {ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        let answer = Answer { headers, body };
        match self.hidden_refusal(ask, &answer) {
            Some(refusal) => Err(Problem::Refused(Box::new(refusal))),
            None => Ok(answer),
        }
    }

    /// Waits as long as it takes until something that failed with `problem` may be tried again; the problem itself where that
    /// would not help, or was done often enough. `failures` are those in a row, this one not among them.
    pub(super) async fn again(&self, failures: &mut u32, problem: Problem) -> Result<(), Problem> {
        *failures += 1;
        if *failures >= self.patience.tries || !problem.may_pass(self.reached.load(Ordering::Relaxed)) {
            return Err(problem);
        }
        let wished = match &problem {
            Problem::Refused(refusal) => Duration::from_secs(refusal.retry_after.unwrap_or(0)),
            _ => Duration::ZERO,
        };
        let pauses = self.patience.pauses;
        let pause = Duration::from_micros(pauses.after(*failures, getrandom::u64().unwrap_or_default()));
        sleep(pause.max(wished.min(Duration::from_micros(pauses.most)))).await;
        Ok(())
    }

    /// One try, of which the answer's body is the caller's to read. A connection that lay idle may be gone, which says
    /// nothing of the store: that is tried anew at once.
    pub(super) async fn once(&self, ask: &Ask<'_>) -> Result<Incomings<'_>, Problem> {
        let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = waiting
            && let Ok(pieces) = self.on(line, ask).await
        {
            return self.accepted(ask, pieces).await;
        }
        let connecting = connect(&self.endpoint.uri, self.ca_file.as_deref(), self.patience.connect);
        let stream = connecting.await.map_err(|error| Problem::Connect { error })?;
        let handshake = timeout(self.patience.connect, http1::handshake(stream));
        let (sender, connection) = handshake.await.map_err(|_| self.silent(1))?.map_err(|error| self.broken(&error))?;
        // Its errors are those of the request that is on it.
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        let pieces = self.on(Line { sender, task }, ask).await?;
        self.accepted(ask, pieces).await
    }

    async fn on(&self, mut line: Line, ask: &Ask<'_>) -> Result<Incomings<'_>, Problem> {
        let progress = Arc::default();
        let request = self.request(ask, &progress)?;
        let exchange = async {
            line.sender.ready().await?;
            line.sender.send_request(request).await
        };
        match self.patiently(&progress, ask.slow, exchange).await {
            Ok(response) => {
                self.reached.store(true, Ordering::Relaxed);
                Ok(Incomings { client: self, response, line: Some(line) })
            }
            // Where it was our own file that failed, the connection shows nothing of that.
            Err(problem) => match progress.failed.get() {
                Some((path, error)) => {
                    let source = std::io::Error::new(error.kind(), error.to_string());
                    Err(Problem::Local { step: "read", path: path.clone(), source })
                }
                None => Err(problem),
            },
        }
    }

    fn request(&self, ask: &Ask<'_>, progress: &Arc<Progress>) -> Result<Request<Outgoing>, Problem> {
        let own = |error: &dyn std::fmt::Display| Problem::Own(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(self.endpoint.host()).map_err(|error| own(&error))?);
        for (name, value) in &ask.headers {
            headers.insert(*name, HeaderValue::from_str(value).map_err(|error| own(&error))?);
        }
        let (path, query) = (self.endpoint.path(ask.key), sign::query(ask.query));
        let signed = Signed { method: ask.method.as_str(), path: &path, query: &query, content: ask.content.digest() };
        self.signer.sign(&signed, &mut headers, now()).map_err(|error| own(&error))?;
        if matches!(ask.method, Method::PUT | Method::POST) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(ask.content.size()));
        }
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let request = Request::builder().method(ask.method.clone()).uri(target).body(ask.content.body(progress));
        let mut request = request.map_err(|error| own(&error))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Waits for `work` as long as the connection takes or brings something now and then.
    async fn patiently<T>(
        &self,
        progress: &Progress,
        slow: u32,
        work: impl Future<Output = Result<T, hyper::Error>>,
    ) -> Result<T, Problem> {
        let mut work = pin!(work);
        loop {
            let before = progress.taken.load(Ordering::Relaxed);
            match timeout(self.patience.silence * slow, &mut work).await {
                Ok(done) => return done.map_err(|error| self.broken(&error)),
                Err(_) if progress.taken.load(Ordering::Relaxed) > before => {}
                Err(_) => return Err(self.silent(slow)),
            }
        }
    }

    /// The answer, where the store did what was asked.
    async fn accepted<'a>(&'a self, ask: &Ask<'_>, mut pieces: Incomings<'a>) -> Result<Incomings<'a>, Problem> {
        let status = pieces.response.status();
        if status.is_success() {
            return Ok(pieces);
        }
        let headers = pieces.response.headers().clone();
        let mut said = Vec::new();
        // One that breaks off in its words is an answer: the status counts.
        while said.len() < REFUSAL_BYTES
            && let Ok(Some(piece)) = pieces.next().await
        {
            said.extend_from_slice(&piece);
        }
        Err(Problem::Refused(Box::new(self.refusal(ask, status.as_u16(), &headers, &said))))
    }

    /// What is long in coming is begun with a success, and may turn out to be none.
    fn hidden_refusal(&self, ask: &Ask<'_>, answer: &Answer) -> Option<Refusal> {
        let is_error = ask.method == Method::POST && xml::parse(&answer.body).is_ok_and(|root| root.name == "Error");
        is_error.then(|| self.refusal(ask, 200, &answer.headers, &answer.body))
    }

    fn refusal(&self, ask: &Ask<'_>, status: u16, headers: &HeaderMap, said: &[u8]) -> Refusal {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(plain);
        let root = xml::parse(said).ok().filter(|root| root.name == "Error").unwrap_or_default();
        let region = header("x-amz-bucket-region").or_else(|| Some(plain(root.text_of("Region"))));
        Refusal {
            status,
            code: plain(root.text_of("Code")),
            message: plain(root.text_of("Message")),
            action: ask.action,
            bucket: self.bucket.clone(),
            store: self.endpoint.shown(),
            access_key_id: self.signer.access_key_id.clone(),
            date: header(DATE.as_str()),
            region: region.filter(|region| !region.is_empty() && *region != self.signer.region),
            retry_after: header(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok()),
        }
    }

    /// What `work` fetches, an object of `size` bytes at most, unless it never ends.
    pub(super) async fn in_time<T>(
        &self,
        size: u64,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let enough = self.patience.enough(size);
        let slow = || Problem::Slow { store: self.endpoint.shown(), seconds: enough.as_secs() };
        timeout(enough, work).await.unwrap_or_else(|_| Err(slow()))
    }

    pub(super) fn strange(&self, why: impl Into<String>) -> Problem {
        Problem::Strange { store: self.endpoint.shown(), why: why.into() }
    }

    fn silent(&self, slow: u32) -> Problem {
        Problem::Silent { store: self.endpoint.shown(), seconds: (self.patience.silence * slow).as_secs() }
    }

    fn broken(&self, error: &hyper::Error) -> Problem {
        Problem::Broken { store: self.endpoint.shown(), why: error.to_string() }
    }
}

impl Incomings<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Whether it is the part that was asked for, instead of the whole.
    pub(super) fn is_part(&self) -> bool {
        self.response.status() == hyper::StatusCode::PARTIAL_CONTENT
    }

    /// The next piece; none at the end, from when on the connection waits for the next request.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = timeout(self.client.patience.silence, self.response.body_mut().frame()).await;
            match frame.map_err(|_| self.client.silent(1))? {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => return Ok(Some(piece)),
                    Err(_trailers) => {}
                },
                Some(Err(error)) => return Err(self.client.broken(&error)),
                None => {
                    if let Some(line) = self.line.take() {
                        *self.client.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
                    }
                    return Ok(None);
                }
            }
        }
    }
}

/// Words of a store, fit to be shown.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(WORDS).collect()
}
