use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::Uri;
use serde_json::{Value, json};

use super::key::{Key, key};
use super::secret::{Secret, SecretError, read_secret};
use super::url;
use super::value::{self, Codec, Switch, Text, anything};

/// `[backup.s3]`: a copy of each backup in a bucket of an S3-compatible store.
#[derive(Clone, Debug, PartialEq)]
pub struct S3 {
    /// Where the store is; none for Amazon's own of the region.
    pub url: Option<S3Url>,
    /// The bucket; empty for no copy.
    pub bucket: String,
    /// What the names of all objects begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The region.
    pub region: String,
    /// Who we are there.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key_file: Option<PathBuf>,
    /// Which certificates sign the store's, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whether backups may go over the network unencrypted.
    pub allow_http: bool,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            url: None,
            bucket: String::new(),
            prefix: "quantum-clm".into(),
            region: "us-east-1".into(),
            access_key_id: String::new(),
            secret_access_key_file: None,
            ca_file: None,
            allow_http: false,
        }
    }
}

impl S3 {
    /// Whether backups are copied there.
    pub fn is_on(&self) -> bool {
        !self.bucket.is_empty()
    }

    /// The place as people write it: `s3://bucket/prefix`.
    pub fn place(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, self.prefix)
    }

    /// The secret access key, read anew each time: one that was replaced holds from the next request on.
    pub fn secret_access_key(&self) -> Result<Option<Secret>, SecretError> {
        self.secret_with(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
    }

    fn secret_with(&self, credentials: Option<&Path>) -> Result<Option<Secret>, SecretError> {
        self.secret_access_key_file.as_deref().map(|file| read_secret(file, credentials)).transpose()
    }
}

/// Where an S3-compatible store answers: scheme, host, port, and a path where it is not at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Url(Uri);

impl S3Url {
    /// As it is asked.
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.0.scheme_str().unwrap_or_default(), self.0.authority());
        let path = self.0.path().trim_end_matches('/');
        write!(f, "{scheme}://{}{path}", authority.map_or("", |authority| authority.as_str()))
    }
}

/// No message repeats the text: it may hold a secret.
impl FromStr for S3Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write it as \"https://s3.example:9000\"";
        if text.starts_with("s3://") {
            return Err(format!("is the server's address: {EXAMPLE}; the bucket is named by backup.s3.bucket"));
        }
        let uri: Uri = text.parse().map_err(|_| format!("is not a URL: {EXAMPLE}"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(format!("must begin with https://: {EXAMPLE}"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("must not hold a user or a password: see access_key_id and secret_access_key_file".into());
        }
        if uri.host().unwrap_or_default().is_empty() {
            return Err(format!("has no host: {EXAMPLE}"));
        }
        if uri.query().is_some() {
            return Err(format!("must not have a query: {EXAMPLE}"));
        }
        Ok(Self(uri))
    }
}

/// An [`S3Url`], or `""`.
struct OptionalUrl;

impl Codec for OptionalUrl {
    type Value = Option<S3Url>;

    fn text(text: &str) -> Result<Self::Value, String> {
        if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
    }

    fn show(url: &Self::Value) -> Value {
        json!(url.as_ref().map_or_else(String::new, S3Url::to_string))
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            backup.s3.url,
            OptionalUrl,
            anything,
            "The S3-compatible store that backups are copied to as well, such as \"https://s3.example:9000\"; \"\" for \
             Amazon's own of the region."
        ),
        key!(backup.s3.bucket, Text, |name| bucket(name), "The bucket; \"\" copies nothing."),
        key!(
            backup.s3.prefix,
            Text,
            |text| prefix(text),
            "What the names of all objects begin with. Each machine needs its own: what is another's is refused."
        ),
        key!(backup.s3.region, Text, |name| region(name), "The region; what runs at home mostly does not care."),
        key!(backup.s3.access_key_id, Text, |id| access_key_id(id), "The access key's id."),
        key!(
            backup.s3.secret_access_key_file,
            value::OptionalFile,
            anything,
            "A file that holds the secret access key: a name, such as \"s3.secret\", of one in /etc/quantum/credentials \
             (what the unit has in $CREDENTIALS_DIRECTORY), or a whole path."
        ),
        key!(
            backup.s3.ca_file,
            value::OptionalFile,
            anything,
            "Certificates (PEM) that the store's is signed with, instead of the public ones."
        ),
        key!(
            backup.s3.allow_http,
            Switch,
            anything,
            "Whether backups may go to an http:// address beyond this machine, for everybody on the way to read."
        ),
    ]
}

/// As Amazon has it, which everybody else follows.
fn bucket(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = |c: char| end(c) || matches!(c, '.' | '-');
    if (3..=63).contains(&name.len()) && name.chars().all(fits) && name.starts_with(end) && name.ends_with(end) {
        return Ok(());
    }
    Err("is not a bucket's name: 3 to 63 of a-z 0-9 . -, with a letter or digit at both ends".into())
}

fn prefix(text: &str) -> Result<(), String> {
    let part = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && part != "." && part != ".." && part.chars().all(fits)
    };
    if text.is_empty() || text.len() <= 256 && text.split('/').all(part) {
        return Ok(());
    }
    Err("must be names of A-Z a-z 0-9 . _ - with one / between them, such as \"backups/prod-1\"".into())
}

fn region(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let named = (1..=64).contains(&name.len()) && name.chars().all(fits);
    if named { Ok(()) } else { Err("is not a region's name, such as \"eu-central-1\"".into()) }
}

fn access_key_id(id: &str) -> Result<(), String> {
    let fits = id.len() <= 256 && id.chars().all(|c| c.is_ascii_graphic() && c != '/' && c != ',');
    if fits { Ok(()) } else { Err("is not an access key's id: it has no blanks, slashes and commas".into()) }
}

/// What does not go together, with the key that is to blame.
pub(super) fn cross_checks(s3: &S3) -> Vec<(&'static str, &'static str)> {
    if !s3.is_on() {
        return if s3.url.is_some() {
            vec![("backup.s3.url", "is set and backup.s3.bucket is not: name the bucket, or leave both out")]
        } else {
            Vec::new()
        };
    }
    let mut faults = Vec::new();
    if s3.access_key_id.is_empty() {
        faults.push(("backup.s3.bucket", "is set and backup.s3.access_key_id is not: say who we are there"));
    }
    if s3.secret_access_key_file.is_none() {
        faults.push(("backup.s3.bucket", "is set and backup.s3.secret_access_key_file is not: name that file"));
    }
    let open = |url: &S3Url| !url::is_https(url.uri()) && !url::is_loopback(url.uri());
    if s3.url.as_ref().is_some_and(open) && !s3.allow_http {
        faults.push((
            "backup.s3.url",
            "is not encrypted and leads off this machine: use https://, or set backup.s3.allow_http = true",
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("https://s3.example", "https://s3.example"),
            ("https://s3.example:9000/", "https://s3.example:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("https://x.example/storage/v1/s3", "https://x.example/storage/v1/s3"),
        ] {
            assert_eq!(text.parse::<S3Url>().map(|url| url.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for (text, part) in [
            ("s3://bucket", "backup.s3.bucket"),
            ("ftp://h", "must begin with https://"),
            ("https://k:secret@h", "must not hold a user"),
            ("https://h/?key=secret", "must not have a query"),
            ("s3.example", "must begin with https://"),
        ] {
            let message = text.parse::<S3Url>().expect_err(text);
            assert!(message.contains(part) && !message.contains("secret@"), "{text}: {message}");
        }
        assert_eq!(OptionalUrl::text(""), Ok(None));
    }

    #[test]
    fn names() {
        assert!(["", "abc", "a.b-1"].iter().all(|name| bucket(name).is_ok()));
        assert!(["ab", "Abc", "-abc", "a/b", "a_bc"].iter().all(|name| bucket(name).is_err()));
        assert!(["", "a", "a/B_c"].iter().all(|text| prefix(text).is_ok()));
        assert!(["/a", "a/", "a//b", "a/../b", "a b"].iter().all(|text| prefix(text).is_err()));
        let s3 = S3 { bucket: "b-1".into(), ..S3::default() };
        assert_eq!(s3.place(), "s3://b-1/quantum-clm");
        assert_eq!(S3 { prefix: String::new(), ..s3 }.place(), "s3://b-1");
    }

    #[test]
    fn what_belongs_together() {
        let whole = S3 {
            url: "https://s3.example".parse().ok(),
            bucket: "backups".into(),
            access_key_id: "id".into(),
            secret_access_key_file: Some("key".into()),
            ..S3::default()
        };
        let faults = |s3: &S3| cross_checks(s3).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(faults(&S3::default()), Vec::<&str>::new());
        assert_eq!(faults(&whole), Vec::<&str>::new());
        assert_eq!(faults(&S3 { url: None, ..whole.clone() }), Vec::<&str>::new());
        assert_eq!(faults(&S3 { bucket: String::new(), ..whole.clone() }), ["backup.s3.url"]);
        let nobody = S3 { access_key_id: String::new(), secret_access_key_file: None, ..whole.clone() };
        assert_eq!(faults(&nobody).len(), 2);
        let open = S3 { url: "http://s3.example".parse().ok(), ..whole };
        assert_eq!(faults(&open), ["backup.s3.url"]);
        assert_eq!(faults(&S3 { allow_http: true, ..open.clone() }), Vec::<&str>::new());
        assert_eq!(faults(&S3 { url: "http://127.0.0.1:9000".parse().ok(), ..open }), Vec::<&str>::new());
    }
}
