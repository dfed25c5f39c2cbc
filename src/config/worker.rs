use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;
use serde_json::{Value, json};

use super::key::{Key, key};
use super::number::{Fraction, OrOff};
use super::secret::{Secret, SecretError, read_secret};
use super::url;
use super::value::{self, Codec, anything, within};

/// `[worker]`: for `quantum-clm worker`, which runs the adapters. The daemon reads nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// What the daemon knows it by; empty for the host's name.
    pub name: String,
    /// Where it keeps its jobs.
    pub directory: PathBuf,
    /// The daemon; none for the unix socket.
    pub url: Option<DaemonUrl>,
    /// Its API token.
    pub token_file: Option<PathBuf>,
    /// Which certificates sign the daemon's, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// What one program may take of memory, in bytes.
    pub memory: Option<u64>,
    /// How many processors one program may keep busy.
    pub cpus: Option<f64>,
    /// How many processes and threads one program may have.
    pub tasks: Option<u64>,
    /// How long a program may take to end after SIGTERM.
    pub grace: Duration,
    /// How many jobs it has at once.
    pub slots: u32,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            name: String::new(),
            directory: PathBuf::from("/var/lib/quantum-clm-worker"),
            url: None,
            token_file: None,
            ca_file: None,
            memory: None,
            cpus: None,
            tasks: Some(4_096),
            grace: Duration::from_secs(30),
            slots: 2,
        }
    }
}

impl Worker {
    /// Its token, read anew each time: one that was replaced holds from the next request on.
    pub fn token(&self) -> Result<Option<Secret>, SecretError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        self.token_file.as_deref().map(|file| read_secret(file, credentials.as_deref())).transpose()
    }
}

/// Where a daemon is reached: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonUrl(Uri);

impl DaemonUrl {
    /// As it is asked.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether what is said is encrypted.
    fn is_https(&self) -> bool {
        url::is_https(&self.0)
    }

    fn is_loopback(&self) -> bool {
        url::is_loopback(&self.0)
    }
}

impl fmt::Display for DaemonUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme_str().unwrap_or_default(), self.0.authority().map_or("", |a| a.as_str()))
    }
}

impl FromStr for DaemonUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write it as \"https://quantum.example:8443\"";
        let uri: Uri = text.parse().map_err(|_| format!("is not a URL: {EXAMPLE}"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err("must begin with https://, or be empty for the unix socket".into());
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("must not hold a user or a password: the token is in worker.token_file".into());
        }
        if uri.host().unwrap_or_default().is_empty() {
            return Err(format!("has no host: {EXAMPLE}"));
        }
        if !matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("/")) {
            return Err(format!("must not have a path: {EXAMPLE}"));
        }
        let url = Self(uri);
        if !url.is_https() && !url.is_loopback() {
            return Err("leads off this machine and must begin with https://: the token goes over it".into());
        }
        Ok(url)
    }
}

/// A [`DaemonUrl`], or `""`.
struct OptionalUrl;

impl Codec for OptionalUrl {
    type Value = Option<DaemonUrl>;

    fn text(text: &str) -> Result<Self::Value, String> {
        if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
    }

    fn show(url: &Self::Value) -> Value {
        json!(url.as_ref().map_or_else(String::new, DaemonUrl::to_string))
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            worker.name,
            value::Text,
            |name| named(name),
            "What the daemon knows this worker by: no two workers have the same. \"\" for the host's name."
        ),
        key!(
            worker.directory,
            value::File,
            |path| directory(path),
            "Where the worker keeps its jobs, their files and what their programs wrote. One worker a directory."
        ),
        key!(
            worker.url,
            OptionalUrl,
            anything,
            "The daemon, such as \"https://quantum.example\"; \"\" for the unix socket of this machine, http.socket."
        ),
        key!(
            worker.token_file,
            value::OptionalFile,
            anything,
            "A file with an API token for the scope worker, where worker.url is set: a name, such as \"worker.token\", of \
             one in /etc/quantum/worker-credentials (what the unit has in $CREDENTIALS_DIRECTORY), or a whole path."
        ),
        key!(
            worker.ca_file,
            value::OptionalFile,
            anything,
            "Certificates (PEM) that the daemon's is signed with, instead of the public ones."
        ),
        key!(
            worker.memory,
            OrOff<value::Size>,
            |bytes| bytes.map_or(Ok(()), |bytes| if bytes < 16 << 20 {
                Err("must be at least 16MiB".into())
            } else {
                Ok(())
            }),
            "What one program with all of its processes may take of memory: \"16GiB\", or \"off\"."
        ),
        key!(
            worker.cpus,
            OrOff<Fraction>,
            |cpus| match cpus {
                Some(cpus) if !(0.01..=4096.0).contains(cpus) => Err("must be from 0.01 to 4096".into()),
                _ => Ok(()),
            },
            "How many processors one program may keep busy, 0.01 to 4096, or \"off\". Without cgroup v2, whole ones."
        ),
        key!(
            worker.tasks,
            OrOff<value::Whole<u64>>,
            |tasks| tasks.map_or(Ok(()), |tasks| within(tasks, 16, 1_000_000)),
            "How many processes and threads one program may have, 16 to 1000000, or \"off\"."
        ),
        key!(
            worker.grace,
            value::Time,
            |time| {
                let fits = (Duration::from_millis(100)..=Duration::from_secs(600)).contains(time);
                if fits { Ok(()) } else { Err("must be from 100ms to 10m".into()) }
            },
            "How long a program that is called off has between SIGTERM and SIGKILL, \"100ms\" to \"10m\"."
        ),
        key!(
            worker.slots,
            value::Whole<u32>,
            |slots| within(u64::from(*slots), 1, 64),
            "How many jobs this worker has at once, 1 to 64. The daemon has a limit for all workers together, jobs.running."
        ),
    ]
}

/// A name goes into logs, pages and paths of the API.
fn named(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= 64 && name.chars().all(fits) {
        return Ok(());
    }
    Err("has at most 64 of A-Z a-z 0-9 . _ -".into())
}

fn directory(path: &Path) -> Result<(), String> {
    if path.is_absolute() { Ok(()) } else { Err("must be an absolute path".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_nothing_that_others_read() {
        for text in [
            "https://q.example",
            "https://q.example:8443/",
            "http://127.0.0.1:8000",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(OptionalUrl::text(text).is_ok_and(|url| url.is_some()), "{text}");
        }
        for (text, part) in [
            ("http://q.example", "must begin with https://"),
            ("ftp://q.example", "must begin with https://"),
            ("q.example", "must begin with https://"),
            ("https://u:secret@q.example", "must not hold a user or a password"),
            ("https://q.example/api", "must not have a path"),
            ("https://", "is not a URL"),
        ] {
            let message = OptionalUrl::text(text).unwrap_err();
            assert!(message.contains(part) && !message.contains("secret"), "{text}: {message}");
        }
        assert_eq!(OptionalUrl::text(""), Ok(None));
        assert_eq!(
            OptionalUrl::show(&OptionalUrl::text("https://q.example:8443/").unwrap()),
            json!("https://q.example:8443")
        );
    }

    #[test]
    fn a_name_is_plain() {
        assert_eq!((named(""), named("gpu-1.lan")), (Ok(()), Ok(())));
        assert!(named("a b").is_err() && named("a/b").is_err() && named(&"x".repeat(65)).is_err());
    }
}
