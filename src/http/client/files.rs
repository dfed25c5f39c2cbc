//! Files on their way from and to the daemon: streamed, however large they are.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::{Method, header};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::{Client, ClientError, PATIENCE};
use crate::http::outgoing::OutgoingFile;

/// How long nothing of a file may move: longer than the daemon waits, so that its own words arrive.
pub(super) const STALL: Duration = Duration::from_secs(45);

impl Client {
    /// `PUT path` with a file, which is read as it is sent. It may take as long as it takes, as long as something moves.
    pub async fn put_file<T: DeserializeOwned>(&self, path: &str, file: &Path) -> Result<T, ClientError> {
        let file = File::open(file)
            .map_err(|source| ClientError::Own { step: format!("reading {}", file.display()), source })?;
        self.put_open_file(path, file).await
    }

    /// The same for a file that is open already.
    pub async fn put_open_file<T: DeserializeOwned>(&self, path: &str, file: File) -> Result<T, ClientError> {
        let sent = Arc::new(AtomicU64::new(0));
        let body =
            OutgoingFile::from(file, 0, Arc::clone(&sent)).map_err(|source| self.broken("reading a file", source))?;
        let request = self.request(Method::PUT, path)?.header(header::CONTENT_TYPE, "application/octet-stream");
        let request = request.body(body).map_err(|source| self.broken("asking", source))?;
        let answering = self.connected(request).await?;
        let response = tokio::select! {
            response = answering => response.map_err(|source| self.broken("answering", source))?,
            () = stalled(&sent, STALL) => return Err(self.silent(STALL)),
        };
        self.parse(path, self.accepted(response).await?).await
    }

    /// `GET path` into `to`, as it comes.
    pub async fn get_file(&self, path: &str, to: &mut (impl Write + ?Sized)) -> Result<(), ClientError> {
        let request = self.request(Method::GET, path)?.body(http_body_util::Empty::new());
        let request = request.map_err(|source| self.broken("asking", source))?;
        let response = self.answer(request, PATIENCE).await?;
        let mut body = self.accepted(response).await?.into_body();
        loop {
            let frame = timeout(STALL, body.frame()).await.map_err(|_| self.silent(STALL))?;
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|source| self.broken("answering", source))?;
            if let Ok(bytes) = frame.into_data() {
                to.write_all(&bytes)
                    .map_err(|source| ClientError::Own { step: "keeping a file of the daemon".into(), source })?;
            }
        }
    }
}

/// Over once nothing was sent for `patience`, which the time after the last byte counts among: the daemon still has to
/// bring the file to its disk then.
pub(super) async fn stalled(sent: &AtomicU64, patience: Duration) {
    let mut before = u64::MAX;
    loop {
        let now = sent.load(Ordering::Relaxed);
        if now == before {
            return;
        }
        before = now;
        sleep(patience).await;
    }
}
