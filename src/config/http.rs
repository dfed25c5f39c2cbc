use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::key::{Key, key};
use super::value;

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// TCP address of health, metrics and (later) the UI; empty listens on no port.
    pub listen: String,
    /// The unix socket that the commands use.
    pub socket: PathBuf,
}

impl Http {
    /// The TCP address to listen on; none where `listen` is empty.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8000".into(), socket: PathBuf::from("/run/quantum-clm/api.sock") }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            http.listen,
            value::Text,
            |text| listen(text),
            "TCP address of health and metrics, an IP address and a port; \"\" listens on no port."
        ),
        key!(http.socket, value::File, |path| socket(path), "The unix socket that the commands speak to."),
    ]
}

fn listen(text: &str) -> Result<(), String> {
    if text.is_empty() || text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    Err(format!("{text:?} is not an IP address and a port: write it as \"127.0.0.1:8000\" or \"[::1]:8000\""))
}

/// The kernel's limit for the path of a unix socket, less the closing NUL.
const SOCKET_PATH_BYTES: usize = 107;

fn socket(path: &Path) -> Result<(), String> {
    value::a_file(path)?;
    if path.as_os_str().len() > SOCKET_PATH_BYTES {
        return Err(format!("the path of a unix socket has at most {SOCKET_PATH_BYTES} bytes: choose a shorter one"));
    }
    Ok(())
}
