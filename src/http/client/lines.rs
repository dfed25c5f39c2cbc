use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{ClientError, Place};

/// Lines of an answer that goes on.
#[derive(Debug)]
pub struct Lines {
    place: Place,
    body: Incoming,
    buffer: Vec<u8>,
    // Where the next line begins, and how far from there no line feed was found.
    start: usize,
    searched: usize,
    over: bool,
}

impl Lines {
    pub(super) fn new(place: Place, body: Incoming) -> Self {
        Self { place, body, buffer: Vec::new(), start: 0, searched: 0, over: false }
    }

    /// The next line, without its line feed; `None` once the daemon has ended the answer (it stops). Dropping this
    /// future loses nothing.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                let end = self.searched + length;
                let line = String::from_utf8_lossy(&self.buffer[self.start..end]).into_owned();
                self.start = end + 1;
                self.searched = self.start;
                return Ok(Some(line));
            }
            // Once a refill, not once a line: a frame holds hundreds.
            self.buffer.drain(..self.start);
            self.start = 0;
            self.searched = self.buffer.len();
            if self.over {
                self.searched = 0;
                let last = std::mem::take(&mut self.buffer);
                return Ok((!last.is_empty()).then(|| String::from_utf8_lossy(&last).into_owned()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(source)) => {
                    self.over = true;
                    let source = source.into();
                    return Err(ClientError::Broken { place: self.place.clone(), step: "answering", source });
                }
                None => self.over = true,
            }
        }
    }
}
