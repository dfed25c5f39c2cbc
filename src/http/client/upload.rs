//! Files on their way to the daemon, gone on with where they broke off.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode, header};
use serde::de::DeserializeOwned;

use super::files::{STALL, stalled};
use super::{Client, ClientError, PATIENCE, PAUSE};
use crate::http::outgoing::OutgoingFile;

/// How often a daemon that is away is asked again before that is said, without a byte having come meanwhile: about as long
/// as a start with a migration takes.
const AGAIN: u32 = 120;

/// How often one upload is begun anew, or corrected, in one go: another sender of the same file may be at it, too.
const CORRECTIONS: u32 = 8;

/// Bytes a second at which the daemon reads again, at least, what it has of a file.
const READS: u64 = 32 << 20;

/// Where a file is sent to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// As a whole.
    pub whole: &'a str,
    /// In parts.
    pub rest: &'a str,
}

impl Client {
    /// Sends a file, or what the daemon lacks of it. A daemon without such uploads gets the whole.
    pub async fn upload<T: DeserializeOwned>(&self, to: Target<'_>, file: &File) -> Result<T, ClientError> {
        let mut offset = self.reached(to.rest).await?;
        for _ in 0..CORRECTIONS {
            let response = self.bring(to, file, offset).await?;
            let status = response.status();
            let told = upload_offset(&response);
            match (status, told) {
                (StatusCode::CONFLICT, Some(other)) if other != offset => offset = other,
                // What is there is not what it should be, and gone now.
                (StatusCode::BAD_REQUEST, _) if offset > 0 => offset = 0,
                _ => return self.parse(to.whole, self.accepted(response).await?).await,
            }
        }
        Err(self.broken("sending a file", "somebody else sends the same one"))
    }

    /// The same over restarts of the daemon; `told` hears of each.
    pub async fn upload_on<T: DeserializeOwned>(
        &self,
        to: Target<'_>,
        file: &File,
        mut told: impl FnMut(&ClientError),
    ) -> Result<T, ClientError> {
        let (mut again, mut furthest) = (AGAIN, 0);
        loop {
            let error = match self.upload(to, file).await {
                Err(error) if error.is_away() => error,
                result => return result,
            };
            if again == AGAIN {
                told(&error);
            }
            if again == 0 {
                return Err(error);
            }
            again -= 1;
            tokio::time::sleep(PAUSE).await;
            match self.reached(to.rest).await {
                // It is back, and got somewhere.
                Ok(offset) if offset > furthest => (again, furthest) = (AGAIN, offset),
                _ => {}
            }
        }
    }

    /// How much of an upload the daemon has; nothing where it does not say.
    async fn reached(&self, path: &str) -> Result<u64, ClientError> {
        let request = self.request(Method::HEAD, path)?.body(http_body_util::Empty::new());
        let request = request.map_err(|source| self.broken("asking", source))?;
        let response = self.answer(request, PATIENCE).await?;
        if response.status().is_server_error() {
            self.accepted(response).await?;
            return Ok(0);
        }
        // What else is wrong the upload itself is told, in words: an answer to HEAD has none.
        Ok(upload_offset(&response).unwrap_or(0))
    }

    async fn bring(&self, to: Target<'_>, file: &File, offset: u64) -> Result<Response<Incoming>, ClientError> {
        let own = |source| ClientError::Own { step: "reading the file to send".to_owned(), source };
        let mut file = file.try_clone().map_err(own)?;
        file.seek(SeekFrom::Start(offset)).map_err(own)?;
        let sent = Arc::new(AtomicU64::new(0));
        let body = OutgoingFile::from(file, offset, Arc::clone(&sent)).map_err(own)?;
        let request = if offset == 0 {
            self.request(Method::PUT, to.whole)?.header(header::CONTENT_TYPE, "application/octet-stream")
        } else {
            self.request(Method::PATCH, to.rest)?
                .header(header::CONTENT_TYPE, "application/partial-upload")
                .header("upload-offset", offset)
                .header("upload-complete", "?1")
        };
        let request = request.body(body).map_err(|source| self.broken("asking", source))?;
        let answering = self.connected(request).await?;
        let patience = STALL + Duration::from_secs(offset / READS);
        tokio::select! {
            response = answering => response.map_err(|source| self.broken("answering", source)),
            () = stalled(&sent, patience) => Err(self.silent(patience)),
        }
    }
}

fn upload_offset(response: &Response<Incoming>) -> Option<u64> {
    response.headers().get("upload-offset")?.to_str().ok()?.parse().ok()
}
