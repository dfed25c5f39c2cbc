use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{sleep, timeout};

use super::border::{self, NotOurs};
use super::doc::Doc;
use super::door::{self, Door};
use super::error::ApiError;
use super::peer::{Caller, Credential, Role};
use super::stream::StreamPlaces;
use super::ui::failure::Asked;
use super::{csrf, headers, stream, ui, upload};
use crate::domain::access::Scope;
use crate::domain::request::host::Scheme;
use crate::observe::panics;
use crate::stop::Stopping;

/// The largest body, unless the route says otherwise.
pub const BODY_BYTES: usize = 1 << 20;

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For its body to arrive.
    pub body: Duration,
    /// For its handler to answer. An answer that streams is only begun within it.
    pub answer: Duration,
    /// For the next byte of an upload, which takes as long as it takes.
    pub stall: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { body: Duration::from_secs(10), answer: Duration::from_secs(30), stall: Duration::from_secs(30) }
    }
}

/// One entry of the route table.
#[derive(Clone)]
pub struct Route<S> {
    method: Method,
    path: &'static str,
    guard: Guard,
    doc: Option<Doc>,
    handler: MethodRouter<S>,
}

#[derive(Clone, Copy)]
struct Guard {
    path: &'static str,
    least: Role,
    scope: Option<Scope>,
    body_bytes: usize,
    advice: &'static str,
    uploads: bool,
    answer: Option<Duration>,
    streams: bool,
    kind: Kind,
}

/// For whom a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For programs: refusals are JSON.
    Api,
    /// For people: refusals are pages, and a stranger who looks is sent to sign in.
    Page,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route that reads.
    pub fn get<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::GET, path, least, on(MethodFilter::GET, handler))
    }

    /// A route that creates or acts.
    pub fn post<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::POST, path, least, on(MethodFilter::POST, handler))
    }

    /// A route that replaces.
    pub fn put<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::PUT, path, least, on(MethodFilter::PUT, handler))
    }

    /// A route that adds to what is there.
    pub fn patch<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::PATCH, path, least, on(MethodFilter::PATCH, handler))
    }

    /// A route that only tells how things stand, in headers.
    pub fn head<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::HEAD, path, least, on(MethodFilter::HEAD, handler))
    }

    /// A route that removes.
    pub fn delete<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::new(Method::DELETE, path, least, on(MethodFilter::DELETE, handler))
    }

    /// A page.
    pub fn page<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::get(path, least, handler).of(Kind::Page)
    }

    /// What a page's form sends.
    pub fn form<T: 'static>(path: &'static str, least: Role, handler: impl Handler<T, S>) -> Self {
        Self::post(path, least, handler).of(Kind::Page)
    }

    /// Lets this machine scope in as well.
    pub fn also(mut self, scope: Scope) -> Self {
        self.guard.scope = Some(scope);
        self
    }

    /// Its answer goes on until the client leaves or the daemon stops; the daemon's stop ends it properly.
    pub fn streams(mut self) -> Self {
        self.guard.streams = true;
        self
    }

    /// Takes bodies up to this size instead of [`BODY_BYTES`].
    pub fn body_bytes(mut self, limit: usize) -> Self {
        self.guard.body_bytes = limit;
        self
    }

    /// What somebody is told whose body is larger: `: ` and what to do.
    pub fn too_large(mut self, advice: &'static str) -> Self {
        self.guard.advice = advice;
        self
    }

    /// Hands its body on as it comes ([`upload::Upload`]), however large it is and however long it takes, as long as
    /// something comes. Its handler decides how much is too much. A session shows its form's token in the header.
    pub fn uploads(mut self) -> Self {
        self.guard.uploads = true;
        self
    }

    /// May take longer to answer than others do.
    pub fn answers_within(mut self, limit: Duration) -> Self {
        self.guard.answer = Some(limit);
        self
    }

    /// Describes it, for those who program against it.
    pub fn doc(mut self, doc: Doc) -> Self {
        self.doc = Some(doc);
        self
    }

    /// What it tells of itself.
    pub fn described(&self) -> Option<&Doc> {
        self.doc.as_ref()
    }

    /// The method that it answers to.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with `{names}` for the parts that vary.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The least role that it asks for.
    pub fn least(&self) -> Role {
        self.guard.least
    }

    /// The machine scope that it opens to besides.
    pub fn scope(&self) -> Option<Scope> {
        self.guard.scope
    }

    /// For whom it answers.
    pub fn kind(&self) -> Kind {
        self.guard.kind
    }

    fn of(mut self, kind: Kind) -> Self {
        self.guard.kind = kind;
        self
    }

    fn new(method: Method, path: &'static str, least: Role, handler: MethodRouter<S>) -> Self {
        let guard = Guard {
            path,
            least,
            scope: None,
            body_bytes: BODY_BYTES,
            advice: "",
            uploads: false,
            answer: None,
            streams: false,
            kind: Kind::Api,
        };
        Self { method, path, guard, doc: None, handler }
    }
}

/// The router over a table: what is not in the table is refused, and what is in it has passed its guard before the
/// handler sees it.
///
/// # Panics
/// When two entries have the same path and method, or a path is malformed: a table is written, not configured.
pub fn router<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>, state: S, door: Door, times: Times) -> Router {
    let mut router = Router::new();
    for Route { path, guard, handler, .. } in routes {
        let door = door.clone();
        let guarded = from_fn(move |request: Request, next: Next| {
            let door = door.clone();
            async move {
                let mut asked = Asked::of(&request);
                let response = match admit(guard, &door, times, request, next, &mut asked.caller).await {
                    Ok(response) => response,
                    Err(refusal) => refusal.into_response(),
                };
                match guard.kind {
                    Kind::Api => response,
                    Kind::Page => ui::failure::as_page(response, &asked),
                }
            }
        });
        router = router.route(path, handler.route_layer(guarded));
    }
    router
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            ApiError::MethodNotAllowed(format!("{} does not answer to {method}", uri.path()))
        })
        .fallback(|request: Request| async move {
            let asked = Asked::of(&request);
            let refusal = ApiError::NotFound(format!("there is nothing at {}", asked.uri.path())).into_response();
            if asked.by_browser { ui::failure::as_page(refusal, &asked) } else { refusal }
        })
        // The guard has read the body and measured it; a second limit would only contradict it.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(move |request: Request, next: Next| outermost(door.clone(), request, next)))
        .with_state(state)
}

/// Too many follow.
const CROWDED: ApiError = ApiError::Crowded { what: "too many live views at once", seconds: 10 };

/// The guard of one route: who, role, body, form token, time. In this order, so that a stranger cannot make us read.
/// `known` becomes whoever asks, also when the request ends here.
async fn admit(
    guard: Guard,
    door: &Door,
    times: Times,
    request: Request,
    next: Next,
    known: &mut Option<Caller>,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    if guard.kind == Kind::Page {
        border::form(&parts).map_err(|refused| not_ours(door, &parts, guard.path, refused))?;
    }
    let caller = who(guard, door, &parts, known).await?;
    let place = match parts.extensions.get::<StreamPlaces>() {
        Some(places) if guard.streams => Some(places.take().ok_or(CROWDED)?),
        _ => None,
    };
    let stopping = parts.extensions.get::<Stopping>().cloned();
    let (body, carried, received) = if guard.uploads {
        let (body, received) = upload::watched(body, times.stall);
        // What a script sends has the token in its header, so that nothing is read before it is looked at.
        (body, Bytes::new(), Some(received))
    } else {
        let whole = whole(body, &guard, times.body).await?;
        (Body::from(whole.clone()), whole, None)
    };
    // What is open to everybody needs no session, so none can be abused: signing in once more is no matter of the first.
    if let Credential::Session { csrf, .. } = &caller.credential
        && guard.least > Role::Open
        && !parts.method.is_safe()
        && !csrf::is_carried(&parts.headers, &carried, csrf)
    {
        door.note(&parts, guard.path, "access.csrf", &caller.name, "the form's token is missing or not this session's");
        return Err(ApiError::Forbidden("this form is not of your session: load the page again".to_owned()));
    }
    parts.extensions.insert(caller.actor(door::address(&parts)));
    parts.extensions.insert(caller);
    drop(carried);
    let limit = guard.answer.unwrap_or(times.answer);
    let too_late = async {
        // An upload takes as long as it takes; only then is it our turn.
        if let Some(received) = received {
            received.await;
        }
        sleep(limit).await;
    };
    let response = tokio::select! {
        response = next.run(Request::from_parts(parts, body)) => response,
        () = too_late => {
            return Err(ApiError::Unavailable(format!("no answer within {} s: try again", limit.as_secs())));
        }
    };
    // A refusal is whole at once.
    Ok(match stopping {
        Some(stopping) if guard.streams && response.status().is_success() => {
            response.map(|body| stream::until_stopped(body, stopping, place))
        }
        _ => response,
    })
}

/// A large body has longer than a small one: as long as that, for each of these bytes.
const BYTES_A_TIME: usize = 4 << 20;

/// A body in memory.
async fn whole(body: Body, guard: &Guard, time: Duration) -> Result<Bytes, ApiError> {
    let limit = guard.body_bytes;
    let time = time.saturating_mul(u32::try_from(limit / BYTES_A_TIME).unwrap_or(u32::MAX).max(1));
    let too_large = ApiError::TooLarge { limit: limit as u64, advice: guard.advice };
    // What says that it is too large is not read up to there first.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    match timeout(time, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(error)) => Err(ApiError::Refused(format!("the body broke off: {error}"))),
        Err(_) => Err(ApiError::SlowBody { seconds: time.as_secs() }),
    }
}

/// Takes down what was refused at the borders.
fn not_ours(door: &Door, parts: &Parts, path: &str, NotOurs { error, action }: NotOurs) -> ApiError {
    if let Some(action) = action {
        door.note(parts, path, action, &Caller::anonymous().name, &error.to_string());
    }
    error
}

/// Who asks, if they may. Whoever may not is taken down.
async fn who(guard: Guard, door: &Door, parts: &Parts, known: &mut Option<Caller>) -> Result<Caller, ApiError> {
    if guard.least == Role::Open && guard.kind == Kind::Api {
        return Ok(door.peer(parts));
    }
    let caller = match door.caller(parts).await {
        Ok(caller) => caller,
        // The page to sign in on is there for whoever has a credential that is wrong.
        Err(_) if guard.least == Role::Open => Caller::anonymous(),
        Err(refused) => {
            door.note_credential(parts, guard.path, &refused);
            return Err(refused.error);
        }
    };
    *known = Some(caller.clone());
    if caller.grant.allows(guard.least, guard.scope) {
        return Ok(caller);
    }
    match caller.credential {
        // That is how everybody begins: they are shown where to sign in.
        Credential::None if guard.kind == Kind::Page && parts.method.is_safe() => {}
        Credential::None => door.note(parts, guard.path, "access.credential", &caller.name, "no credential"),
        _ => {
            let why = format!("{} is not enough", caller.grant);
            door.note(parts, guard.path, "access.role", &caller.name, &why);
        }
    }
    Err(door.refusal(&caller, guard.least))
}

/// Around everything, also around refusals: the border comes before any route, a panic is an answer, and every answer
/// has the security headers.
async fn outermost(door: Door, request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    // hyper forgets a Content-Length beside it, so it is this header that tells of a body whose end somebody in between
    // may see elsewhere. RFC 9112, 6.1: what comes behind it is not taken for a request.
    let mut closes = request.headers().contains_key(header::TRANSFER_ENCODING);
    let (mut parts, body) = request.into_parts();
    let admitted = door.border().admit(&mut parts);
    let scheme = parts.extensions.get().copied().unwrap_or(Scheme::Http);
    let mut response = match admitted {
        Ok(()) => match panics::caught(next.run(Request::from_parts(parts, body))).await {
            Ok(response) => response,
            Err(panic) => {
                let Asked { method, uri, .. } = &asked;
                ApiError::internal(format!("the handler of {method} {:?} panicked: {panic}", uri.path()))
                    .into_response()
            }
        },
        Err(refused) => {
            closes = true;
            // Not the path: it may be anything, and there need be nothing at it.
            let refusal = not_ours(&door, &parts, "*", refused).into_response();
            if asked.by_browser { ui::failure::as_page(refusal, &asked) } else { refusal }
        }
    };
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers::secure(response.headers_mut(), scheme);
    response
}
