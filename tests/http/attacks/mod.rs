mod bodies;
mod csp;
mod floods;
mod hosts;
mod origins;
mod paths;
mod sessions;
mod smuggling;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::support::DEADLINE;
use crate::support::daemon::{Bed, Daemon};
use crate::support::journal::JournalWriter;

/// The real binary on a port of its own, and what belongs to it.
struct Target {
    daemon: Daemon,
    bed: Bed,
    at: SocketAddr,
    _journal: JournalWriter,
}

/// What came back over one connection until the server closed it.
#[derive(Debug)]
struct Answer {
    text: String,
}

impl Answer {
    /// The status; 0 where no answer came.
    fn status(&self) -> u16 {
        self.statuses().first().copied().unwrap_or(0)
    }

    /// The status of each answer.
    fn statuses(&self) -> Vec<u16> {
        let lines =
            self.text.match_indices("HTTP/1.").filter_map(|(at, _)| self.text.get(at + 9..at + 12)?.parse().ok());
        lines.collect()
    }

    /// How many answers there are.
    fn count(&self) -> usize {
        self.statuses().len()
    }

    fn detail(&self) -> Value {
        self.text.split_once("\r\n\r\n").map_or(Value::Null, |(_, body)| {
            serde_json::from_str::<Value>(body).map_or(Value::Null, |body| body["detail"].clone())
        })
    }

    fn has(&self, header: &str) -> bool {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().any(|line| line.eq_ignore_ascii_case(header))
    }
}

impl Target {
    fn new(settings: &[&str]) -> Self {
        Self::prepared(settings, |_| {})
    }

    /// The same, after something was done to its data file.
    fn prepared(settings: &[&str], prepare: impl FnOnce(&Bed)) -> Self {
        let bed = Bed::new("", settings);
        prepare(&bed);
        let journal = JournalWriter::new(&bed.journal());
        let daemon = bed.start();
        let at = daemon.tcp();
        Self { daemon, bed, at, _journal: journal }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Writes bytes as they are, and reads until the server closes.
    fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close before all is written.
        let _ = stream.write_all(bytes.as_ref());
        read(&mut stream)
    }

    /// A request that is well formed; the host is the server's own unless the headers name one.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.raw(self.request(method, path, headers, body))
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {}\r\n", self.at));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{text}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    /// The same bytes over the unix socket.
    fn over_the_socket(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = UnixStream::connect(self.bed.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.write_all(bytes.as_ref());
        read(&mut stream)
    }

    /// Fails unless the product answers, over both ways in.
    #[track_caller]
    fn answers(&self) {
        let answer = self.ask("GET", "/health", &[], "");
        assert!(matches!(answer.status(), 200 | 503), "over TCP: {answer:?}");
        assert!(self.daemon.status().is_some(), "over the unix socket");
    }

    /// A token for this role.
    fn token(&self, role: &str) -> String {
        let body = format!("{{\"name\": \"attacker\", \"grant\": \"{role}\"}}");
        let answer = self.over_the_socket(self.request("POST", "/api/tokens", &[], &body));
        let (_, body) = answer.text.split_once("\r\n\r\n").unwrap();
        let created: Value = serde_json::from_str(body).unwrap();
        created["text"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// What the audit log says of refused attempts of this kind, once it says anything.
    #[track_caller]
    fn refused(&self, action: &str) -> Value {
        let path = format!("/api/audit?outcome=refused&action={action}");
        let found = || {
            let page: Value = serde_json::from_str(&self.daemon.get(&path)?).unwrap();
            page["records"].as_array()?.first().cloned()
        };
        crate::support::wait_for_some(found, || format!("a record of {action}: {:?}", self.daemon.get(&path)))
    }
}

fn read(stream: &mut impl Read) -> Answer {
    let mut answer = Vec::new();
    // A reset is an end as well; a server that keeps the connection open is not, and fails by its deadline.
    if let Err(error) = stream.read_to_end(&mut answer) {
        let text = String::from_utf8_lossy(&answer);
        assert!(error.kind() != std::io::ErrorKind::WouldBlock, "it was not closed within {DEADLINE:?}: {text}");
    }
    Answer { text: String::from_utf8_lossy(&answer).into_owned() }
}
