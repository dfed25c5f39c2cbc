use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::counter::Counter;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tower::ServiceExt;

use super::border::Local;
use super::listen::Listeners;
use super::peer::Peer;
use super::places::{Place, Places};
use super::stall::Stall;
use super::stream::StreamPlaces;
use crate::stop::{Stop, Stopping};

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once over TCP. One more closes the one that has waited for its client the longest.
    pub tcp_connections: usize,
    /// Answers at once over TCP that go on without end, fewer than connections: live tails must not starve the pages.
    pub streams: usize,
    /// Connections at once over the unix socket, so that no crowd on the network locks the commands out.
    pub unix_connections: usize,
    /// How long a request's head may take; hyper counts from the answer before it, so this closes idle connections too.
    pub head_time: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Lines of it.
    pub headers: usize,
    /// How long a client may read nothing of an answer that waits for it.
    pub stall: Duration,
    /// How long, once the daemon stops, a connection that was just accepted is waited for to send its request.
    pub first_word: Duration,
    /// How long requests under way may go on once the daemon stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tcp_connections: 1024,
            streams: 768,
            unix_connections: 64,
            head_time: Duration::from_secs(10),
            head_bytes: 16 << 10,
            headers: 64,
            stall: Duration::from_secs(30),
            first_word: Duration::from_millis(500),
            drain: Duration::from_secs(2),
        }
    }
}

/// Accepts on all listeners until `stopping` is asked, then lets requests under way finish within `limits.drain`.
/// Returns how many connections were cut off. The socket file is gone when it returns. `evicted` counts the connections
/// that had to make room for others.
pub async fn serve(
    listeners: Listeners,
    router: Router,
    limits: Limits,
    evicted: Counter,
    stopping: Stopping,
) -> usize {
    let Listeners { tcp, unix, file, lock, .. } = listeners;
    let server = Arc::new(Server::new(router, limits, stopping.clone()));
    let mut loops = JoinSet::new();
    let places = Places::new(limits.tcp_connections, evicted.clone());
    for listener in tcp {
        loops.spawn(accept(listener, Arc::clone(&places), Arc::clone(&server)));
    }
    let places = Places::new(limits.unix_connections, evicted);
    for listener in unix {
        loops.spawn(accept(listener, Arc::clone(&places), Arc::clone(&server)));
    }
    let mut connections = JoinSet::new();
    while let Some(ended) = loops.join_next().await {
        if let Ok(mut its) = ended {
            connections.spawn(async move {
                let deadline = Instant::now() + limits.drain;
                while let Ok(Some(_)) = timeout_at(deadline, its.join_next()).await {}
                its.len()
            });
        }
    }
    // Nobody is to find a socket on which nobody accepts any more.
    drop((file, lock));
    let drained = async {
        let mut cut = 0;
        while let Some(left) = connections.join_next().await {
            cut += left.unwrap_or(0);
        }
        cut
    };
    let cut = tokio::select! {
        cut = drained => cut,
        () = stopping.reached(Stop::GiveUp) => 0,
    };
    if cut > 0 {
        tracing::info!(cut, "connections were still busy when time was up");
    }
    cut
}

struct Server {
    router: Router,
    builder: http1::Builder,
    limits: Limits,
    streams: StreamPlaces,
    stopping: Stopping,
}

impl Server {
    fn new(router: Router, limits: Limits, stopping: Stopping) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_header_size(limits.head_bytes)
            .max_headers(limits.headers)
            .max_buf_size(limits.head_bytes.max(64 << 10));
        Self { router, builder, limits, streams: StreamPlaces::new(limits.streams), stopping }
    }

    async fn connection<T>(&self, stream: T, ends: Ends, place: &Place)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let seat = place.seat();
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let mut request = request.map(|body| seat.begin(body));
            request.extensions_mut().insert(ends.peer);
            request.extensions_mut().insert(self.stopping.clone());
            if let Some(local) = ends.local {
                request.extensions_mut().insert(Local(local));
                request.extensions_mut().insert(self.streams.clone());
            }
            let (router, seat) = (self.router.clone(), Arc::clone(seat));
            async move {
                match router.oneshot(request).await {
                    Ok(response) => Ok::<_, Infallible>(response.map(|body| seat.answer(body))),
                    Err(never) => match never {},
                }
            }
        });
        let io = TokioIo::new(Stall::new(stream, self.limits.stall, Arc::clone(seat)));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = seat.told_to_leave() => return,
            () = self.stopping.asked() => {
                // Who was accepted a moment ago would otherwise be closed without an answer, and who comes a moment later waits
                // in systemd's socket for the next daemon: a restart is to fail nobody.
                tokio::select! {
                    ended = connection.as_mut() => return tell(ended, ends.peer),
                    () = seat.heard() => {}
                    () = sleep(self.limits.first_word) => {}
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        tell(ended, ends.peer);
    }
}

fn tell(ended: hyper::Result<()>, peer: Peer) {
    if let Err(error) = ended {
        // The client's doing (gone, slow, not HTTP), so nothing that the operator should read about by default.
        tracing::debug!(?peer, "a connection ended: {error}");
    }
}

/// Both ends of a connection.
#[derive(Clone, Copy)]
struct Ends {
    peer: Peer,
    /// The address of ours that it came to; none over the unix socket.
    local: Option<SocketAddr>,
}

/// Something to accept from, so that there is one loop for all kinds.
trait Accept: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Ends)>> + Send;
}

impl Accept for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<(Self::Stream, Ends)> {
        let (stream, address) = self.accept().await?;
        // Answers are small and whole: waiting for more of them only delays. A failure costs nothing but that.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr()?;
        Ok((stream, Ends { peer: Peer::Tcp(address), local: Some(local) }))
    }
}

impl Accept for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Stream, Ends)> {
        let (stream, _) = self.accept().await?;
        let who = stream.peer_cred()?;
        let peer = Peer::Unix { uid: who.uid(), gid: who.gid(), pid: who.pid() };
        Ok((stream, Ends { peer, local: None }))
    }
}

/// The accept loop. Ends when the daemon stops, with the connections that are still open.
async fn accept<L: Accept>(listener: L, places: Arc<Places>, server: Arc<Server>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let mut pause = Duration::ZERO;
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let accepted = listener.next().await?;
            // A connection before its place: only for somebody who is there is another one closed.
            Ok((accepted, places.take().await))
        };
        let next: io::Result<_> = tokio::select! {
            next = next => next,
            () = server.stopping.asked() => return connections,
        };
        match next {
            Ok(((stream, ends), place)) => {
                if !pause.is_zero() {
                    tracing::info!("connections are accepted again");
                    pause = Duration::ZERO;
                }
                let server = Arc::clone(&server);
                connections.spawn(async move { server.connection(stream, ends, &place).await });
            }
            Err(error) if lasts(&error) => {
                if pause.is_zero() {
                    tracing::warn!("cannot accept connections: {error}: raise LimitNOFILE= or find out who holds them");
                }
                pause = (pause * 2).clamp(Duration::from_millis(50), Duration::from_secs(1));
                tokio::select! {
                    () = sleep(pause) => {}
                    () = server.stopping.asked() => return connections,
                }
            }
            // That one connection was gone before it was accepted.
            Err(error) => tracing::debug!("a connection was not accepted: {error}"),
        }
    }
}

/// Whether the next attempt would fail as well: out of files or memory, or the listener itself is broken. Without a
/// pause the loop would spin on these.
fn lasts(error: &io::Error) -> bool {
    let passing =
        [Errno::CONNABORTED, Errno::CONNRESET, Errno::INTR, Errno::PERM, Errno::PROTO, Errno::NOTCONN, Errno::NETDOWN];
    !passing.into_iter().any(|passing| Errno::from_io_error(error) == Some(passing))
}
