use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::listen::{ListenError, listens, tokio_tcp, tokio_unix};
use crate::config;

/// Sockets that systemd passed (`LISTEN_FDS`), taken out of the environment.
#[derive(Default)]
pub struct Passed {
    sockets: Option<ListenFd>,
    names: Vec<String>,
}

impl Passed {
    /// Takes them. Must be called once, before the first thread starts: it changes the environment, so that no child
    /// process takes the sockets for its own.
    pub fn from_env() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        // The crate also takes sockets without LISTEN_PID, a convenience of development tools that a service must not have.
        let ours = std::env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
        let sockets = ours.then(ListenFd::from_env);
        Self { sockets, names: names.split(':').map(str::to_owned).collect() }
    }

    pub(super) fn take(mut self) -> Result<(Vec<TcpListener>, Vec<UnixListener>), ListenError> {
        let (mut tcp, mut unix) = (Vec::new(), Vec::new());
        let Some(sockets) = &mut self.sockets else { return Ok((tcp, unix)) };
        for index in 0..sockets.len() {
            let unusable = || {
                let name = self.names.get(index).filter(|name| !name.is_empty());
                ListenError::Passed { name: name.cloned().unwrap_or_else(|| format!("number {index}")) }
            };
            if let Ok(Some(listener)) = sockets.take_tcp_listener(index) {
                listens(&listener).then_some(()).ok_or_else(unusable)?;
                tcp.push(tokio_tcp(listener).map_err(|_| unusable())?);
            } else if let Ok(Some(listener)) = sockets.take_unix_listener(index) {
                listens(&listener).then_some(()).ok_or_else(unusable)?;
                unix.push(tokio_unix(listener).map_err(|_| unusable())?);
            } else {
                return Err(unusable());
            }
        }
        Ok((tcp, unix))
    }
}

/// Where the sockets are that systemd passed.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    tcp: Vec<SocketAddr>,
    unix: Vec<PathBuf>,
}

impl Addresses {
    pub(super) fn any(&self) -> bool {
        !self.tcp.is_empty() || !self.unix.is_empty()
    }

    pub(super) fn of(tcp: &[TcpListener], unix: &[UnixListener]) -> Self {
        let path = |socket: &UnixListener| socket.local_addr().ok()?.as_pathname().map(Path::to_owned);
        Self {
            tcp: tcp.iter().filter_map(|socket| socket.local_addr().ok()).collect(),
            unix: unix.iter().filter_map(path).collect(),
        }
    }
}

/// Where the configuration says something else than the unit, which wins: a daemon cannot give back what systemd listens on.
pub(super) fn overruled(passed: &Addresses, http: &config::Http, is_set: impl Fn(&str) -> bool) -> Vec<String> {
    const HOW: &str =
        "change the unit (systemctl edit quantum-clm.socket), or mask it to listen as the configuration says";
    let mut lines = Vec::new();
    let is_passed = http.listen.parse().is_ok_and(|listen: SocketAddr| passed.tcp.contains(&listen));
    if !passed.tcp.is_empty() && !is_passed && is_set("http.listen") {
        let there: Vec<_> = passed.tcp.iter().map(SocketAddr::to_string).collect();
        lines.push(format!(
            "http.listen = {:?} has no effect, because systemd listens on {}: {HOW}",
            http.listen,
            there.join(" and ")
        ));
    }
    if !passed.unix.is_empty() && !passed.unix.contains(&http.socket) {
        let there: Vec<_> = passed.unix.iter().map(|path| path.display().to_string()).collect();
        lines.push(format!(
            "http.socket = {:?} has no effect, because systemd listens on {}, and commands look for the daemon where \
             http.socket says: {HOW}",
            http.socket.display().to_string(),
            there.join(" and ")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_wins_over_the_configuration_and_that_is_said() {
        let passed = Addresses {
            tcp: vec!["127.0.0.1:8000".parse().unwrap(), "[::1]:8000".parse().unwrap()],
            unix: vec!["/run/quantum-clm/api.sock".into()],
        };
        let said = |listen: &str, socket: &str, set: &[&str]| {
            let http = config::Http { listen: listen.into(), socket: socket.into(), ..config::Http::default() };
            overruled(&passed, &http, |key| set.contains(&key))
        };
        let (ours, both) = ("/run/quantum-clm/api.sock", &["http.listen", "http.socket"][..]);
        assert!(said("127.0.0.1:8000", ours, both).is_empty());
        assert!(said("[::1]:8000", ours, both).is_empty());
        assert!(said("0.0.0.0:80", ours, &[]).is_empty(), "nobody wrote that");
        let lines = said("0.0.0.0:80", "/tmp/api.sock", both);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("http.listen = \"0.0.0.0:80\" has no effect") && lines[0].contains("[::1]:8000"));
        assert!(lines[1].contains("\"/tmp/api.sock\"") && lines[1].contains("systemctl edit quantum-clm.socket"));
        assert_eq!(said("", ours, both).len(), 1, "the port is open, whatever the configuration says");
        let none =
            overruled(&Addresses::default(), &config::Http { listen: "".into(), ..Default::default() }, |_| true);
        assert!(none.is_empty(), "without a unit the configuration counts");
    }
}
