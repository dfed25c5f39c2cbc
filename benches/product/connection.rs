//! One connection that is kept, as a browser or a program keeps it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::Result;

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

pub(crate) struct Connection {
    /// The lines that every request has.
    head: String,
    stream: BufReader<Box<dyn Stream>>,
}

impl Connection {
    /// With a token, from a browser's side.
    pub(crate) fn tcp(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let head = format!("host: {address}\r\nauthorization: Bearer {token}\r\n");
        Ok(Self { head, stream: BufReader::new(Box::new(stream)) })
    }

    /// From this very machine, whose word counts.
    pub(crate) fn unix(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        Ok(Self { head: "host: bench\r\n".to_owned(), stream: BufReader::new(Box::new(stream)) })
    }

    /// Asks, and gives the answer where it is JSON. What is not 2xx is an error.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.send(method, path, "application/json", body.as_bytes())?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// The same with a body of any kind, and the answer as it is.
    pub(crate) fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>> {
        let about = match body.len() {
            0 => String::new(),
            bytes => format!("content-type: {kind}\r\ncontent-length: {bytes}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\n{}{about}\r\n", self.head);
        self.stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let (status, answer) = self.answer()?;
        if !status.starts_with("HTTP/1.1 2") {
            let told = String::from_utf8_lossy(&answer[..answer.len().min(500)]);
            return Err(format!("{method} {path}: {}: {told}", status.trim()).into());
        }
        Ok(answer)
    }

    fn answer(&mut self) -> Result<(String, Vec<u8>)> {
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        // An answer without content has no length.
        let mut length = status.starts_with("HTTP/1.1 204").then_some(0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(given) = line.strip_prefix("content-length:") {
                length = Some(given.trim().parse::<usize>()?);
            }
        }
        let mut answer = vec![0; length.ok_or("an answer without a length")?];
        self.stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }
}
