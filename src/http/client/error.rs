use std::fmt;
use std::path::PathBuf;

use hyper::StatusCode;

use crate::config::{DaemonUrl, SecretError};
use crate::connect::ConnectError;
use crate::domain::job::RefusalCode;
use crate::http::peer::ADMIN_GROUP;

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Socket(PathBuf),
    /// Over the network.
    Url(DaemonUrl),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

impl Place {
    /// Where its log is.
    fn log(&self) -> &'static str {
        match self {
            Self::Socket(_) => "see journalctl -u quantum-clm",
            Self::Url(_) => "see journalctl -u quantum-clm there",
        }
    }
}

/// Why nobody who asks gets an answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no daemon answers at {}: start it with systemctl start quantum-clm, or pass --data-file to read the file offline",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// The socket is not for this user.
    #[error(
        "no permission to use {}: become root or a member of the group {ADMIN_GROUP} (adduser NAME {ADMIN_GROUP}, then sign in again)",
        .0.display()
    )]
    Permission(PathBuf),
    /// Over the network, no connection could be made.
    #[error("the daemon at {url}: {source}: see worker.url (and worker.ca_file), and whether it is running there")]
    Unreachable {
        /// Where it should be.
        url: Box<DaemonUrl>,
        /// What happened.
        source: ConnectError,
    },
    /// The token cannot be read.
    #[error("worker.token_file: {}", in_full(.0))]
    Token(#[from] SecretError),
    /// The connection could not be made, or broke.
    #[error("the daemon at {place} broke off while {step}: {source}: {}", .place.log())]
    Broken {
        /// Which daemon.
        place: Place,
        /// What was under way.
        step: &'static str,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("the daemon at {place} did not answer within {seconds} s: {}", .place.log())]
    Silent {
        /// Which daemon.
        place: Place,
        /// How long it had.
        seconds: u64,
    },
    /// The daemon refused.
    #[error("{detail}")]
    Refused {
        /// With which status.
        status: StatusCode,
        /// In which words.
        detail: String,
        /// What a worker is to make of it; none where it is no worker, or where somebody else than the daemon answers.
        code: Option<RefusalCode>,
    },
    /// Another version answers.
    #[error(
        "the daemon's answer to {path} is not understood ({source}): is it of another version? systemctl restart quantum-clm"
    )]
    Answer {
        /// What was asked.
        path: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// What was to be sent, or to be kept, is on this side.
    #[error("{step}: {source}")]
    Own {
        /// What was under way.
        step: String,
        /// What happened.
        source: std::io::Error,
    },
}

impl ClientError {
    /// The status with which the daemon refused.
    pub fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The code that the daemon has put into its refusal.
    pub fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Refused { code, .. } => *code,
            _ => None,
        }
    }

    /// Whether the daemon may merely be away for a moment, as it is while it is started anew.
    pub fn is_away(&self) -> bool {
        match self {
            Self::NoDaemon(_) | Self::Unreachable { .. } | Self::Broken { .. } | Self::Silent { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            _ => false,
        }
    }

    /// Whether nobody listens on the socket of this machine: no daemon of it is alive.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::NoDaemon(_))
    }
}

/// An error with everything that caused it.
fn in_full(error: &SecretError) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told.push_str(&format!(": {next}"));
        cause = next.source();
    }
    told
}

/// The daemon's code, if it is the daemon's.
pub(super) fn code(body: &[u8]) -> Option<RefusalCode> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    serde_json::from_value(body.get("code")?.clone()).ok()
}

/// The daemon's words, or at least the status.
pub(super) fn detail(status: StatusCode, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match &body["detail"] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(misfits) => {
            let misfits = misfits.iter().map(|misfit| {
                let msg = misfit["msg"].as_str().unwrap_or("does not fit");
                // Which parameter it is about stands last; the body as a whole has no name.
                match misfit["loc"].as_array().filter(|loc| loc.len() > 1).and_then(|loc| loc.last()?.as_str()) {
                    Some(name) => format!("{name}: {msg}"),
                    None => msg.to_owned(),
                }
            });
            misfits.collect::<Vec<_>>().join("; ")
        }
        _ => format!("the daemon answered {status}"),
    }
}
