use std::io;
use std::path::PathBuf;

use crate::config::SecretError;
use crate::connect::ConnectError;
use crate::domain::backup::BackupId;

/// Why something could not be done with the store. None holds more of a secret than the access key's id.
#[derive(Debug, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct RemoteError {
    /// The object or the place, as `s3://bucket/key`.
    pub at: String,
    /// What went wrong.
    #[source]
    pub problem: Box<Problem>,
}

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nobody said where, or who we are.
    #[error("{0}")]
    Settings(String),
    /// The secret cannot be read.
    #[error("backup.s3.secret_access_key_file: {0}")]
    Secret(#[from] SecretError),
    /// There is no connection.
    #[error("{error}{}", advice(.error))]
    Connect {
        /// Why.
        #[source]
        error: ConnectError,
    },
    /// It takes too long.
    #[error("the store at {store} has been silent for {seconds} s: look after it, or try again later")]
    Silent {
        /// Its address.
        store: String,
        /// How long.
        seconds: u64,
    },
    /// It sends something now and then, and never comes to an end.
    #[error(
        "the store at {store} was given {seconds} s for one object, and has not sent it: look at the network between, or \
         try again later"
    )]
    Slow {
        /// Its address.
        store: String,
        /// How long it had.
        seconds: u64,
    },
    /// A request or an answer broke off.
    #[error("the connection to {store} broke off: {why}")]
    Broken {
        /// Its address.
        store: String,
        /// How it showed.
        why: String,
    },
    /// The store says no.
    #[error("{}", .0.advice())]
    Refused(Box<Refusal>),
    /// What it says is not what such a store says.
    #[error("the answer of {store} makes no sense: {why}; is backup.s3.url the address of an S3-compatible store?")]
    Strange {
        /// Its address.
        store: String,
        /// In which way.
        why: String,
    },
    /// What is there is not what was sent, or what should be there.
    #[error("{0}")]
    Damaged(String),
    /// It is another machine's.
    #[error(
        "the backups there are those of {host}, and two machines would remove each other's: give this one a \
         backup.s3.prefix of its own; if that machine is gone for good and this one takes its place, remove the object OWNER there"
    )]
    Owned {
        /// Whose.
        host: String,
    },
    /// There is no whole backup of that name.
    #[error("there is no whole backup {0} there: `quantum-clm backup list` shows what there is")]
    Missing(BackupId),
    /// Something on our own disk.
    #[error("cannot {step} {}: {source}", path.display())]
    Local {
        /// What was to be done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Something of our own.
    #[error("it cannot be asked: {0}")]
    Own(String),
}

impl RemoteError {
    /// Whether the same may do better a little later.
    pub fn may_pass(&self) -> bool {
        self.problem.may_pass(false)
    }

    /// Whether it is something on our own disk.
    pub fn is_local(&self) -> bool {
        matches!(*self.problem, Problem::Local { .. })
    }
}

impl Problem {
    pub(super) fn at(self, at: impl Into<String>) -> RemoteError {
        RemoteError { at: at.into(), problem: Box::new(self) }
    }

    /// For `map_err`.
    pub(super) fn local(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { step, path, source }
    }

    /// Whether the same request may do better in a moment. `reached`: the store answered before, so that its name and its
    /// certificate are right.
    pub fn may_pass(&self, reached: bool) -> bool {
        match self {
            Self::Connect { error } => match error {
                ConnectError::Tls(_) => reached,
                ConnectError::Certificates { .. } | ConnectError::Own(_) => false,
                ConnectError::Unresolved(_) | ConnectError::Unreachable { .. } | ConnectError::Slow(_) => true,
            },
            Self::Silent { .. } | Self::Broken { .. } => true,
            Self::Refused(refusal) => refusal.may_pass(),
            _ => false,
        }
    }

    /// Whether the store said that there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && refusal.code != "NoSuchBucket")
    }
}

fn advice(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Tls(_) => {
            ": where the store's certificate is not signed by a public authority, name the one that signed it in \
             backup.s3.ca_file"
        }
        ConnectError::Certificates { .. } => ": mend backup.s3.ca_file",
        ConnectError::Unresolved(_) => ": look at backup.s3.url and the name servers",
        ConnectError::Unreachable { .. } | ConnectError::Slow(_) => {
            ": look at backup.s3.url and whether the store runs"
        }
        ConnectError::Own(_) => "",
    }
}

/// What a store says when it says no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Of the answer.
    pub status: u16,
    /// Its word for it, such as `NoSuchBucket`; empty where it said none, as for HEAD.
    pub code: String,
    /// Its words, without control characters and not long.
    pub message: String,
    /// What was asked, such as `s3:PutObject`.
    pub action: &'static str,
    /// The bucket that was asked for.
    pub bucket: String,
    /// The store's address.
    pub store: String,
    /// As which key.
    pub access_key_id: String,
    /// What the store's clock says, where it said so.
    pub date: Option<String>,
    /// The region that the bucket is in, where the store said so.
    pub region: Option<String>,
    /// How many seconds it wants to be left alone.
    pub retry_after: Option<u64>,
}

impl Refusal {
    fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
            || matches!(self.code.as_str(), "RequestTimeout" | "InternalError" | "SlowDown" | "OperationAborted")
    }

    fn advice(&self) -> String {
        let Self { status, bucket, store, access_key_id, action, .. } = self;
        let said = match (self.code.as_str(), self.message.as_str()) {
            ("", "") => format!("{store} answered {status}"),
            (code, "") => format!("{store} answered {status} {code}"),
            (code, message) => format!("{store} answered {status} {code} ({message})"),
        };
        let todo = match (*status, self.code.as_str()) {
            (_, "NoSuchBucket") => format!("there is no bucket {bucket:?}: make it, or mend backup.s3.bucket"),
            (_, "InvalidAccessKeyId" | "InvalidToken") => {
                format!("it does not know the access key {access_key_id:?}: mend backup.s3.access_key_id")
            }
            (_, "SignatureDoesNotMatch") => format!(
                "the secret key does not belong to the access key {access_key_id:?}: mend the file of \
                 backup.s3.secret_access_key_file"
            ),
            (_, "RequestTimeTooSkewed" | "RequestExpired") => {
                let theirs = self.date.as_deref().unwrap_or("something else");
                format!("the clocks differ; its clock says {theirs}: set this machine's clock (timedatectl set-ntp true)")
            }
            (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException")
            | (301 | 307, _) => match &self.region {
                Some(region) => format!("the bucket is in another region: set backup.s3.region = {region:?}"),
                None => "the bucket is elsewhere: mend backup.s3.region or backup.s3.url".to_owned(),
            },
            (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull" | "EntityTooLarge" | "ServiceQuotaExceeded") => {
                "it has no room: free some, or lower backup.keep_*".to_owned()
            }
            (403, _) => format!(
                "the access key {access_key_id:?} may not do this, or is not the right one: allow it {action} on the bucket \
                 {bucket:?}"
            ),
            (404, _) => "there is no such object, or no such bucket".to_owned(),
            (429 | 500 | 502 | 503 | 504, _) => "it was asked several times: look after it, or try again later".to_owned(),
            (400, "XAmzContentSHA256Mismatch" | "BadDigest" | "InvalidDigest") => {
                "what arrived is not what was sent: try again, and look after the network and the memory of both machines"
                    .to_owned()
            }
            _ => return said,
        };
        format!("{said}: {todo}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str) -> Refusal {
        Refusal {
            status,
            code: code.into(),
            action: "s3:PutObject",
            bucket: "safe".into(),
            store: "https://s3.example".into(),
            access_key_id: "AKIA1".into(),
            date: Some("Sat, 21 Nov 2026 03:15:00 GMT".into()),
            ..Refusal::default()
        }
    }

    #[test]
    fn what_to_do_is_said() {
        for (status, code, part) in [
            (404, "NoSuchBucket", "mend backup.s3.bucket"),
            (403, "InvalidAccessKeyId", "\"AKIA1\": mend backup.s3.access_key_id"),
            (403, "SignatureDoesNotMatch", "backup.s3.secret_access_key_file"),
            (403, "RequestTimeTooSkewed", "its clock says Sat, 21 Nov 2026 03:15:00 GMT"),
            (403, "AccessDenied", "allow it s3:PutObject on the bucket \"safe\""),
            (403, "", "allow it s3:PutObject"),
            (301, "PermanentRedirect", "mend backup.s3.region"),
            (507, "", "it has no room"),
            (503, "SlowDown", "asked several times"),
            (418, "", "https://s3.example answered 418"),
        ] {
            let text = Problem::Refused(Box::new(refusal(status, code))).to_string();
            assert!(text.contains(part), "{status} {code}: {text}");
        }
        let region = Refusal { region: Some("eu-1".into()), ..refusal(400, "AuthorizationHeaderMalformed") };
        assert!(region.advice().contains("backup.s3.region = \"eu-1\""));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
        let passes = |status, code| Problem::Refused(Box::new(refusal(status, code))).may_pass(true);
        assert!(passes(503, "") && passes(429, "") && passes(400, "RequestTimeout") && passes(200, "InternalError"));
        assert!(!passes(403, "AccessDenied") && !passes(404, "NoSuchBucket") && !passes(400, "BadDigest"));
        let tls = || Problem::Connect { error: ConnectError::Tls("unknown issuer".into()) };
        assert!(!tls().may_pass(false) && tls().may_pass(true));
    }
}
