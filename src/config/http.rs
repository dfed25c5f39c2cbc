use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::key::{Key, key};
use super::value::{self, Item, ListOf};
use crate::domain::request::host::Host;

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// TCP address of health, metrics, API and pages; empty listens on no port.
    pub listen: String,
    /// The names under which browsers and programs reach us, besides this machine's own.
    pub hosts: Vec<Host>,
    /// Who may say in `X-Forwarded-*` for whom it asks.
    pub trusted_proxies: Vec<IpNet>,
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
        Self {
            listen: "127.0.0.1:8000".into(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            socket: PathBuf::from("/run/quantum-clm/api.sock"),
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            http.listen,
            value::Text,
            |text| listen(text),
            "TCP address of health, metrics, API and pages, an IP address and a port; \"\" listens on no port."
        ),
        key!(
            http.hosts,
            ListOf<Host>,
            value::anything,
            "The names that browsers reach this server by: \"quantum.example\" behind a proxy, \"box.lan:8000\" without one; requests for others are refused, but for localhost and this machine's addresses with the port of http.listen."
        ),
        key!(
            http.trusted_proxies,
            ListOf<IpNet>,
            value::anything,
            "The proxies, addresses or networks such as \"127.0.0.1\" and \"10.0.0.0/8\", whose X-Forwarded-For and X-Forwarded-Proto are believed."
        ),
        key!(http.socket, value::File, |path| socket(path), "The unix socket that the commands speak to."),
    ]
}

impl Item for Host {
    fn parse(word: &str) -> Result<Self, String> {
        Self::configured(word).map_err(|fault| {
            format!("{word:?} {fault}: write a name, with its port where browsers name one: \"quantum.example\", \"box.lan:8000\"")
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Item for IpNet {
    fn parse(word: &str) -> Result<Self, String> {
        let network: Self = word
            .parse()
            .or_else(|_| word.parse::<IpAddr>().map(Self::from))
            .map_err(|_| format!("{word:?} is not an address or a network: write \"127.0.0.1\" or \"10.0.0.0/8\""))?;
        if network != network.trunc() {
            return Err(format!("{word:?} has bits behind its prefix: write \"{}\"", network.trunc()));
        }
        Ok(network)
    }

    fn show(&self) -> String {
        if self.prefix_len() == self.max_prefix_len() { self.addr().to_string() } else { self.to_string() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Codec;

    #[test]
    fn hosts_and_proxies() {
        let shown = |text: &str| ListOf::<Host>::text(text).map(|hosts| ListOf::<Host>::show(&hosts).to_string());
        assert_eq!(shown("Quantum.Example:443, box.lan:8000").as_deref(), Ok(r#"["quantum.example","box.lan:8000"]"#));
        for bad in ["*.example", "http://x", "x/y", "::1", "a@b", "x:0"] {
            let message = shown(bad).unwrap_err();
            assert!(message.contains(bad) && message.contains("write a name"), "{message}");
        }
        let shown = |text: &str| ListOf::<IpNet>::text(text).map(|nets| ListOf::<IpNet>::show(&nets).to_string());
        assert_eq!(shown("127.0.0.1 10.0.0.0/8 ::1").as_deref(), Ok(r#"["127.0.0.1","10.0.0.0/8","::1"]"#));
        assert!(shown("localhost").unwrap_err().contains("is not an address"));
        assert!(shown("10.0.0.5/8").unwrap_err().contains("write \"10.0.0.0/8\""));
    }
}
