//! What a worker says to the daemon, and what it makes of the answers.

use std::fmt;
use std::fs::File;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::time::timeout;

use crate::domain::job::{
    Assignment, Beat, BeatAnswer, Continued, JobId, LeaseRequest, LogAnswer, RefusalCode, Report, ReportAnswer,
};
use crate::domain::model::Digest;
use crate::http::alive;
use crate::http::client::{Client, ClientError, Place, Target};

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The job is not ours any more, or there is none, and it is the daemon itself who says so.
    #[error("{0}")]
    Stale(String),
    /// It understood, and refuses for good.
    #[error("{0}")]
    Refused(String),
    /// It does not let us in, or we have no way to say who we are: until somebody changes that.
    #[error("{0}")]
    Denied(String),
    /// Nobody listens on the socket of this machine.
    #[error("{0}")]
    Down(ClientError),
    /// It cannot be reached, or cannot do it now.
    #[error("{0}")]
    Away(ClientError),
    /// It did not answer in time.
    #[error("the daemon did not answer within {0:?}")]
    Silent(Duration),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        // A proxy can be mended.
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS, StatusCode::MISDIRECTED_REQUEST];
        match error.refusal() {
            Some(StatusCode::CONFLICT | StatusCode::NOT_FOUND) => match error.code() {
                Some(RefusalCode::Stale) => Self::Stale(error.to_string()),
                Some(RefusalCode::Refused) => Self::Refused(error.to_string()),
                // Somebody between us who knows no way to it: programs must not be ended for that.
                None => Self::Away(error),
            },
            // A token can be given again.
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Self::Denied(error.to_string()),
            None if matches!(error, ClientError::Token(_) | ClientError::Permission(_)) => {
                Self::Denied(error.to_string())
            }
            Some(status) if status.is_client_error() && !passing.contains(&status) => Self::Refused(error.to_string()),
            _ if error.is_down() => Self::Down(error),
            _ => Self::Away(error),
        }
    }
}

impl Trouble {
    /// Whether the same again may be answered otherwise.
    pub(super) fn passes(&self) -> bool {
        !matches!(self, Self::Stale(_) | Self::Refused(_))
    }
}

/// The daemon of this worker.
#[derive(Clone, Debug)]
pub(super) struct Daemon {
    client: Client,
}

impl Daemon {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn place(&self) -> String {
        self.client.place().to_string()
    }

    /// Asks for work. Whoever is told why there is none has to know where to look.
    pub(super) async fn lease(&self, request: &LeaseRequest) -> Result<Option<Assignment>, Trouble> {
        let answer = self.client.post_for_some("/api/work/lease", request).await;
        answer.map_err(|error| self.in_full(error))
    }

    /// What somebody who sets up a worker needs to know.
    fn in_full(&self, error: ClientError) -> Trouble {
        let url = match self.client.place() {
            Place::Url(url) => Some(url),
            Place::Socket(_) => None,
        };
        let told = error.to_string();
        let is_no_daemon = matches!(error.refusal(), Some(StatusCode::NOT_FOUND | StatusCode::CONFLICT));
        match (Trouble::from(error), url) {
            (Trouble::Denied(_), Some(_)) if told.contains("worker.token_file") => Trouble::Denied(told),
            (Trouble::Denied(_), Some(url)) => Trouble::Denied(format!(
                "the daemon at {url} does not let this worker in: {told}: put a token into worker.token_file; quantum-clm token \
                 create NAME --scope worker makes one there"
            )),
            (trouble, _) if is_no_daemon || !trouble.passes() => Trouble::Denied(format!(
                "the daemon at {} refuses what this worker asks for: {told}",
                self.client.place()
            )),
            (trouble, _) => trouble,
        }
    }

    /// Whether there is no daemon that could count against us, for certain: it was this machine's, and it is dead.
    pub(super) async fn is_dead(&self) -> bool {
        let Place::Socket(socket) = self.client.place().clone() else { return false };
        tokio::task::spawn_blocking(move || alive::is_dead(&socket)).await.unwrap_or(false)
    }

    /// A beat is answered at once, or it is none: `patience` is what it may take.
    pub(super) async fn beat(&self, job: JobId, beat: &Beat, patience: Duration) -> Result<BeatAnswer, Trouble> {
        let path = format!("/api/work/jobs/{job}/beat");
        timeout(patience, self.client.post_json(&path, beat))
            .await
            .map_err(|_| Trouble::Silent(patience))?
            .map_err(Trouble::from)
    }

    pub(super) async fn report(&self, job: JobId, report: &Report) -> Result<ReportAnswer, Trouble> {
        Ok(self.client.post_json(&format!("/api/work/jobs/{job}/report"), report).await?)
    }

    pub(super) async fn go_on(&self, job: JobId, epoch: u64) -> Result<ReportAnswer, Trouble> {
        let path = format!("/api/work/jobs/{job}/continue");
        Ok(self.client.post_json(&path, &Continued { epoch }).await?)
    }

    /// Records of a log from `offset` on; how far the daemon's copy goes then.
    pub(super) async fn log(&self, job: JobId, epoch: u64, offset: u64, records: Vec<u8>) -> Result<u64, Trouble> {
        let path = format!("/api/work/jobs/{job}/log?epoch={epoch}&offset={offset}");
        let answer: LogAnswer = self.client.post_bytes(&path, Bytes::from(records)).await?;
        Ok(answer.next)
    }

    /// Sends a file, or what the daemon lacks of it: asked again after a cut, it goes on.
    pub(super) async fn send(
        &self,
        job: JobId,
        epoch: u64,
        path: &str,
        digest: &Digest,
        file: &File,
    ) -> Result<(), Trouble> {
        let file_and_lease = format!("{}?epoch={epoch}&sha256={digest}", Escaped(path));
        let whole = format!("/api/work/jobs/{job}/artifacts/{file_and_lease}");
        let rest = format!("/api/work/jobs/{job}/uploads/{file_and_lease}");
        let _: serde_json::Value = self.client.upload(Target { whole: &whole, rest: &rest }, file).await?;
        Ok(())
    }

    pub(super) async fn fetch(&self, job: JobId, epoch: u64, path: &str, into: &mut File) -> Result<(), Trouble> {
        let path = format!("/api/work/jobs/{job}/artifacts/{}?epoch={epoch}", Escaped(path));
        Ok(self.client.get_file(&path, into).await?)
    }
}

/// A path within a version as a part of a URL.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        let coded = |status: u16, code| {
            let status = StatusCode::from_u16(status).unwrap();
            Trouble::from(ClientError::Refused { status, detail: "words".into(), code })
        };
        let refused = |status| coded(status, None);
        for status in [404, 409] {
            assert!(matches!(coded(status, Some(RefusalCode::Stale)), Trouble::Stale(_)), "{status}");
            assert!(matches!(coded(status, Some(RefusalCode::Refused)), Trouble::Refused(_)), "{status}");
            assert!(matches!(refused(status), Trouble::Away(_)), "{status} of an ingress ends every program");
        }
        for status in [400, 413, 422] {
            assert!(matches!(refused(status), Trouble::Refused(_)), "{status}");
        }
        for status in [401, 403, 408, 429, 500, 503] {
            assert!(refused(status).passes(), "{status}");
        }
        assert!(matches!(refused(401), Trouble::Denied(_)) && matches!(refused(503), Trouble::Away(_)));
        assert!(matches!(Trouble::from(ClientError::NoDaemon("/x".into())), Trouble::Down(_)));
    }

    #[test]
    fn a_path_is_escaped_but_for_its_slashes() {
        assert_eq!(Escaped("a b/ü?.bin").to_string(), "a%20b/%C3%BC%3F.bin");
    }
}
