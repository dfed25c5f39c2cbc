use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Where a connection is cut: what was read of the other direction by then arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    /// After so many bytes of answers: the request has arrived, the answer is lost.
    pub(crate) answers: Option<u64>,
    /// After so many bytes of requests: half of a request arrives.
    pub(crate) requests: Option<u64>,
}

/// A TCP port in front of a Redis on a unix socket, on which connections can be cut.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cut: Arc<Mutex<Cut>>,
    /// The most bytes of a transaction that get through; one that is longer hangs, with its connection.
    carries: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self { port, cut: Arc::default(), carries: Arc::new(AtomicUsize::new(usize::MAX)) };
        let (cut, carries) = (proxy.cut.clone(), proxy.carries.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, socket.clone(), cut.clone(), carries.clone()));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://localhost:{}", self.port)
    }

    /// From now on longer transactions hang.
    pub(crate) fn carry(&self, bytes: usize) {
        self.carries.store(bytes, Ordering::SeqCst);
    }

    /// Cuts the connection once, as soon as that many bytes went by.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().expect("the lock") = cut;
    }
}

async fn forward(client: TcpStream, socket: impl AsRef<Path>, cut: Arc<Mutex<Cut>>, carries: Arc<AtomicUsize>) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut transaction = 0;
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            transaction += read;
            if transaction > carries.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if buffer[..read].windows(6).any(|bytes| bytes == b"EXEC\r\n") {
                transaction = 0;
            }
            let pass = take(&mut cut.lock().expect("the lock").requests, read);
            if to_server.write_all(&buffer[..pass]).await.is_err() || pass < read {
                break;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let pass = take(&mut cut.lock().expect("the lock").answers, read);
            if to_client.write_all(&buffer[..pass]).await.is_err() || pass < read {
                break;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}

/// How many of `read` bytes go through; fewer than all once.
fn take(left: &mut Option<u64>, read: usize) -> usize {
    let Some(bytes) = left else { return read };
    let pass = usize::try_from(*bytes).unwrap_or(read).min(read);
    *bytes -= pass as u64;
    if pass < read {
        *left = None;
    }
    pass
}
