use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// An answer over the socket.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn send(socket: &Path, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    Some(stream)
}

/// What the daemon at `socket` answers; `None` where nobody does, or the answer breaks off.
pub(crate) fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Option<Answer> {
    let mut text = String::new();
    send(socket, method, path, headers, body.as_ref())?.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let answer = Answer {
        status: head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    };
    // A daemon that dies in the middle leaves a part of the body, which is no answer.
    let whole = answer.header("content-length").is_none_or(|length| length.parse() == Ok(answer.body.len()));
    whole.then_some(answer)
}

/// One of server-sent events.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A reader of server-sent events, which it takes off the stream one by one.
pub(crate) struct Listener {
    lines: BufReader<UnixStream>,
    /// The id that a browser would come back with.
    pub(crate) last_id: String,
}

impl Listener {
    #[track_caller]
    pub(crate) fn new(socket: &Path, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut lines = BufReader::new(send(socket, "GET", path, headers, &[]).expect("a daemon"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "no answer: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");
        Self { lines, last_id: String::new() }
    }

    /// The next event that has data; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("events within the deadline") == 0 {
                return None;
            }
            // The sizes of HTTP's chunks stand between them, on lines of their own.
            let line = line.trim_end_matches(['\r', '\n']);
            match line.split_once(": ") {
                Some(("id", id)) => told.id = id.to_owned(),
                Some(("event", event)) => told.event = event.to_owned(),
                Some(("data", data)) => told.data.push_str(data),
                _ if line.is_empty() => {
                    if !told.id.is_empty() {
                        self.last_id.clone_from(&told.id);
                    }
                    if !told.data.is_empty() {
                        return Some(told);
                    }
                    told = Told::default();
                }
                _ => {}
            }
        }
    }
}

/// A reader of lines of JSON.
pub(crate) struct Lines(BufReader<UnixStream>);

impl Lines {
    #[track_caller]
    pub(crate) fn new(socket: &Path, path: &str) -> Self {
        Self(BufReader::new(send(socket, "GET", path, &[], &[]).expect("a daemon")))
    }

    /// The next object; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("lines within the deadline") == 0 {
                return None;
            }
            // Between them stand the head and the sizes of HTTP's chunks.
            if line.starts_with('{') {
                return Some(line);
            }
        }
    }
}
