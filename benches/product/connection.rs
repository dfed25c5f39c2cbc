use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::Result;

/// One connection that is kept, as a browser or a program keeps it.
pub(crate) struct Connection {
    address: SocketAddr,
    token: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr, token: String) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { address, token, stream: BufReader::new(stream) })
    }

    /// Asks, and gives the answer where it is JSON. What is not 2xx is an error.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string);
        let kind = if method == "PUT" { "application/octet-stream" } else { "application/json" };
        let about = body
            .as_ref()
            .map_or_else(String::new, |body| format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()));
        let (address, token) = (self.address, &self.token);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{about}\r\n{}",
            body.unwrap_or_default()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, answer) = self.answer()?;
        if !status.starts_with("HTTP/1.1 2") {
            let told = String::from_utf8_lossy(&answer[..answer.len().min(500)]);
            return Err(format!("{method} {path}: {}: {told}", status.trim()).into());
        }
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    fn answer(&mut self) -> Result<(String, Vec<u8>)> {
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let mut length = None;
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
