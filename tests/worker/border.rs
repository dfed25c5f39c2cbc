//! What stands between a worker and its daemon on another machine: a port of its own, with TLS or without, that can be cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::receiver::Certificates;

/// How long one side is waited for before the other one is looked at.
const TURN: Duration = Duration::from_millis(5);

/// A port in front of a daemon's, which may come later. Its threads end with the test.
pub(super) struct Border {
    pub(super) port: u16,
    daemon: Arc<Mutex<Option<SocketAddr>>>,
    is_cut: Arc<AtomicBool>,
}

trait Side: Read + Write + Send {}
impl<T: Read + Write + Send> Side for T {}

impl Border {
    pub(super) fn start() -> Self {
        Self::serve(None)
    }

    /// With TLS, as a reverse proxy has it.
    pub(super) fn start_tls(certificates: &Certificates) -> Self {
        let chain = CertificateDer::pem_file_iter(certificates.file("server.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.file("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self::serve(Some(Arc::new(config)))
    }

    fn serve(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let border =
            Self { port: listener.local_addr().unwrap().port(), daemon: Arc::default(), is_cut: Arc::default() };
        let (daemon, is_cut) = (border.daemon.clone(), border.is_cut.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), tls, is_cut) = (client, tls.clone(), is_cut.clone()) else { continue };
                let Some(daemon) = *daemon.lock().unwrap() else { continue };
                std::thread::spawn(move || {
                    let Ok(server) = TcpStream::connect(daemon) else { return };
                    for stream in [&client, &server] {
                        stream.set_read_timeout(Some(TURN)).unwrap();
                        stream.set_nodelay(true).unwrap();
                    }
                    let client: Box<dyn Side> = match tls {
                        None => Box::new(client),
                        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), client)),
                    };
                    let _ = carry(client, server, &is_cut);
                });
            }
        });
        border
    }

    /// The setting without which no daemon behind it knows its name.
    pub(super) fn hosts(&self) -> String {
        format!("http.hosts = [\"localhost:{}\"]", self.port)
    }

    pub(super) fn lead_to(&self, daemon: SocketAddr) {
        *self.daemon.lock().unwrap() = Some(daemon);
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    /// From now on nothing goes through and nobody is told so, as when a cable is pulled; or it does again.
    pub(super) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

/// Carries both ways until one side is done.
fn carry(mut client: impl Side, mut server: impl Side, is_cut: &AtomicBool) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        while is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(TURN);
        }
        let done = pass(&mut client, &mut server, &mut buffer)? | pass(&mut server, &mut client, &mut buffer)?;
        if done {
            return Ok(());
        }
    }
}

/// Passes on what is there; whether nothing more comes.
fn pass(from: &mut impl Side, to: &mut impl Side, buffer: &mut [u8]) -> std::io::Result<bool> {
    let read = match from.read(buffer) {
        Ok(0) => return Ok(true),
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(false),
        Err(error) => return Err(error),
    };
    to.write_all(&buffer[..read])?;
    to.flush()?;
    Ok(false)
}
