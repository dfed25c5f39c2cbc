//! The listeners, the accept loop, the route table and the client, over real sockets.

mod accept;
mod answers;
mod access;
mod artifacts;
mod backups;
mod backups_again;
/// Attacks on the real binary, over raw sockets.
mod attacks;
mod client;
mod credentials;
mod dead_letters;
mod jobs;
mod listen;
mod openapi;
mod pages;
mod property;
mod registry;
mod resumed;
mod routes;
mod schedule;
mod uploads;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::extract::FromRef;
use quantum_clm::config;
use quantum_clm::domain::request::host::Host;
use quantum_clm::domain::time::Micros;
use quantum_clm::http::accept::{Limits, serve};
use quantum_clm::http::border::Border;
use quantum_clm::http::client::Client;
use quantum_clm::http::door::Door;
use quantum_clm::http::listen::bind;
use quantum_clm::http::open;
use quantum_clm::http::passed::Passed;
use quantum_clm::http::peer::Admins;
use quantum_clm::http::routes::{Route, Times, router};
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::stop::{self, Stop, Stopper};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// No test waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct State {
    board: StatusBoard,
    metrics: Metrics,
}

impl FromRef<State> for StatusBoard {
    fn from_ref(state: &State) -> Self {
        state.board.clone()
    }
}

impl FromRef<State> for Metrics {
    fn from_ref(state: &State) -> Self {
        state.metrics.clone()
    }
}

fn state() -> State {
    let board = StatusBoard::new();
    for name in ["journal", "store", "rules"] {
        board.reporter(name).ok("works");
    }
    State { metrics: Metrics::new(board.clone(), "1.2.3", "abcdef", Micros(0)), board }
}

/// A server that is known as `x`, as the requests of these tests call it.
fn http() -> config::Http {
    config::Http { hosts: vec![Host::configured("x").unwrap()], ..config::Http::default() }
}

fn door() -> Door {
    Door::default().behind(Border::new(&http()))
}

/// A server on port 0 and on a socket in a directory of its own.
struct Server {
    tcp: SocketAddr,
    socket: PathBuf,
    state: State,
    stopper: Stopper,
    served: JoinHandle<usize>,
    _dir: TempDir,
}

impl Server {
    fn start(routes: Vec<Route<State>>) -> Self {
        Self::with(routes, Limits::default(), Times::default())
    }

    fn with(mut routes: Vec<Route<State>>, limits: Limits, times: Times) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("run/api.sock");
        let http = config::Http { listen: "127.0.0.1:0".into(), socket: socket.clone(), ..http() };
        let listeners = bind(&http, Passed::default(), &Admins::default()).unwrap();
        let tcp = listeners.tcp_addresses()[0];
        let state = state();
        routes.extend(open::routes());
        let router = router(routes, state.clone(), door(), times);
        let (stopper, stopping) = stop::signal();
        let served =
            tokio::spawn(serve(listeners, router, limits, state.metrics.connections_evicted.clone(), stopping));
        Self { tcp, socket, state, stopper, served, _dir: dir }
    }

    fn client(&self) -> Client {
        Client::new(&self.socket)
    }

    /// Stops it; how many connections were cut off.
    async fn stop(self) -> usize {
        self.stopper.ask(Stop::Drain);
        within(self.served).await.unwrap()
    }

    /// Writes `request` over TCP and gives back all that comes until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.tcp).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset instead of an end is a close as well.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}
