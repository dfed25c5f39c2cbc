//! The whole router over a data file of its own, asked without a socket: for tests about who may do what.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use quantum_clm::app::App;
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::role::Role;
use quantum_clm::http::api;
use quantum_clm::http::border::Border;
use quantum_clm::http::border::Local;
use quantum_clm::http::door::Door;
use quantum_clm::http::peer::{Admins, Peer};
use quantum_clm::http::routes::{Times, router};
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::now;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::Store;
use serde_json::Value;
use tower::ServiceExt as _;

/// Every test user's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// What a browser's request comes from.
pub(crate) const BROWSER: &str = "192.0.2.7:40000";

/// An appliance that is asked in this very process.
pub(crate) struct Appliance {
    pub(crate) app: App,
    router: Router,
    _directory: tempfile::TempDir,
}

/// What a request carries to show who asks.
#[derive(Clone, Debug)]
pub(crate) enum As {
    /// Nothing.
    Nobody,
    /// A cookie and, where something changes, the form's token.
    Session { cookie: String, csrf: String },
    /// An API token.
    Token(String),
    /// A process of this machine.
    Socket { uid: u32 },
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap_or_else(|| panic!("no detail: {self:?}")).to_owned()
    }
}

/// Who sets things up.
pub(crate) fn root() -> Actor {
    Actor::local("root")
}

impl Appliance {
    pub(crate) fn new() -> Self {
        Self::configured(|_| {})
    }

    /// One with other settings than the defaults.
    pub(crate) fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
        config.backup.directory = directory.path().join("backups");
        change(&mut config);
        let store = Store::open(&config.data_file).unwrap();
        let board = StatusBoard::new();
        for name in ["journal", "store", "rules"] {
            board.reporter(name).ok("works");
        }
        let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now());
        let app = App::new(config, store, board, metrics, now());
        let door = Door::new(Admins::from_files("/nowhere", "/nowhere"))
            .with_accounts(app.accounts.clone())
            .behind(Border::new(&app.config.http));
        let router = router(api::routes(), app.clone(), door, Times::default());
        Self { app, router, _directory: directory }
    }

    /// Adds a user of this role, called like it.
    pub(crate) fn add_user(&self, role: Role) {
        let name = role.as_str().parse().unwrap();
        self.app.accounts.add_user(&root(), name, role, PASSWORD.into()).unwrap();
    }

    /// A new session of the user that is called like the role.
    pub(crate) fn session(&self, role: Role) -> As {
        let new = self.app.accounts.sign_in(role.as_str(), PASSWORD, "192.0.2.7", "a test").unwrap();
        let csrf = self.app.accounts.session(new.secret.expose()).unwrap().unwrap().csrf;
        As::Session { cookie: new.secret.expose().to_owned(), csrf }
    }

    /// A new token, called like its grant and `what`.
    pub(crate) fn token(&self, grant: Grant, what: &str) -> As {
        let name = format!("{grant} {what}").parse().unwrap();
        As::Token(self.app.accounts.create_token(&root(), name, grant, None).unwrap().text.expose().to_owned())
    }

    /// A request as `who` would send it; `more` adds to it.
    pub(crate) async fn ask(&self, who: &As, method: Method, path: &str, body: &str, more: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(&method).uri(path).header("host", "127.0.0.1:8000");
        if !method.is_safe() && !more.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        // As browsers do it for a page of ours: a form that does not say where it comes from ends at the border.
        if !method.is_safe() && !more.iter().any(|(name, _)| ["sec-fetch-site", "origin"].contains(name)) {
            request = request.header("sec-fetch-site", "same-origin");
        }
        let mut peer = Peer::Tcp(BROWSER.parse().unwrap());
        match who {
            As::Nobody => {}
            As::Session { cookie, csrf } => {
                request = request.header("cookie", format!("__Host-quantum-clm={cookie}"));
                if !method.is_safe() {
                    request = request.header("x-csrf-token", csrf);
                }
            }
            As::Token(text) => request = request.header("authorization", format!("Bearer {text}")),
            As::Socket { uid } => peer = Peer::Unix { uid: *uid, gid: *uid, pid: None },
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        if let Peer::Tcp(_) = peer {
            // As from a page of ours; other pages have tests of their own.
            if !method.is_safe() && !more.iter().any(|(name, _)| *name == "origin") {
                request = request.header("origin", "http://127.0.0.1:8000");
            }
            request = request.extension(Local("127.0.0.1:8000".parse().unwrap()));
        }
        let request = request.extension(peer).body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // An answer that goes on has no whole body to read.
        let streams = parts.headers.get("content-type").is_some_and(|kind| {
            kind.as_bytes().starts_with(b"application/x-ndjson") || kind.as_bytes().starts_with(b"text/event-stream")
        });
        let body = if streams { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    pub(crate) async fn get(&self, who: &As, path: &str) -> Answer {
        self.ask(who, Method::GET, path, "", &[]).await
    }

    pub(crate) async fn send(&self, who: &As, method: Method, path: &str, body: &Value) -> Answer {
        self.ask(who, method, path, &body.to_string(), &[]).await
    }

    /// The audit log so far, oldest first.
    pub(crate) fn log(&self) -> Vec<quantum_clm::app::accounts::AuditRow> {
        self.app.accounts.flush().unwrap();
        let query = quantum_clm::app::accounts::AuditQuery { limit: Some(1_000), ..Default::default() };
        let mut records = self.app.accounts.audit(&query).unwrap().records;
        records.reverse();
        records
    }
}
