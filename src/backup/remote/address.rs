use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::InvalidUri;

use super::error::{Problem, RemoteError};
use super::sign;
use crate::config::S3;
use crate::domain::backup::BackupId;

/// A place for backups in a store, or one of them: `s3://bucket/prefix`, `s3://bucket/prefix/2026-11-21T031500Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The backup, where one is named.
    pub id: Option<BackupId>,
}

/// How such a place begins.
const SCHEME: &str = "s3://";

impl S3Place {
    /// Whether `text` is meant to be one.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Where `settings` have backups copied to.
    pub fn of(settings: &S3) -> Self {
        Self { bucket: settings.bucket.clone(), prefix: settings.prefix.clone(), id: None }
    }

    /// The key of what `name` is called below the prefix.
    pub(super) fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// `name` as people write it.
    pub(super) fn shown(&self, name: &str) -> String {
        format!("{SCHEME}{}/{}", self.bucket, self.key(name))
    }
}

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.prefix.clone(), self.id.map(|id| id.to_string()).unwrap_or_default()];
        write!(f, "{SCHEME}{}", self.bucket)?;
        parts.iter().filter(|part| !part.is_empty()).try_for_each(|part| write!(f, "/{part}"))
    }
}

/// A text that is no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no place in a store: write it as s3://bucket/prefix, or s3://bucket/prefix/2026-11-21T031500Z for a backup"
)]
pub struct BadS3Place(String);

impl FromStr for S3Place {
    type Err = BadS3Place;

    fn from_str(text: &str) -> Result<Self, BadS3Place> {
        let bad = || BadS3Place(text.chars().take(200).collect());
        let (bucket, rest) = text
            .strip_prefix(SCHEME)
            .ok_or_else(bad)?
            .trim_end_matches('/')
            .split_once('/')
            .unwrap_or((text.strip_prefix(SCHEME).unwrap_or_default().trim_end_matches('/'), ""));
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(fits);
        if !part(bucket) || !(rest.is_empty() || rest.split('/').all(part)) {
            return Err(bad());
        }
        let (prefix, last) = rest.rsplit_once('/').unwrap_or(("", rest));
        let (prefix, id) = match last.parse() {
            Ok(id) => (prefix, Some(id)),
            Err(_) => (rest, None),
        };
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), id })
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// What is connected to: scheme, host and port.
    pub(super) uri: Uri,
    /// What a path begins with before the key, without a slash at its end.
    base: String,
}

impl Endpoint {
    pub(super) fn new(settings: &S3, bucket: &str) -> Result<Self, RemoteError> {
        let strange = |error: InvalidUri| Problem::Settings(format!("backup.s3.url: {error}")).at("backup.s3");
        let uri = match &settings.url {
            Some(url) => url.uri().clone(),
            None => format!("https://s3.{}.amazonaws.com", settings.region).parse().map_err(strange)?,
        };
        let above = uri.path().trim_end_matches('/');
        // The bucket in the path works everywhere but with the few that want it in the name: whoever names it there is
        // taken at their word.
        let in_name =
            uri.host().is_some_and(|host| host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.')));
        let base = if in_name { above.to_owned() } else { format!("{above}/{bucket}") };
        Ok(Self { base, uri })
    }

    /// The path of a key; of the bucket without one.
    pub(super) fn path(&self, key: Option<&str>) -> String {
        match key {
            Some(key) => format!("{}/{}", self.base, sign::path(key)),
            None if self.base.is_empty() => "/".to_owned(),
            None => self.base.clone(),
        }
    }

    /// The value of the header `Host`.
    pub(super) fn host(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Scheme, host and port, for people.
    pub(super) fn shown(&self) -> String {
        format!("{}://{}", self.uri.scheme_str().unwrap_or_default(), self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let id: BackupId = "2026-11-21T031500Z".parse().unwrap();
        for (text, bucket, prefix, with) in [
            ("s3://safe", "safe", "", None),
            ("s3://safe/", "safe", "", None),
            ("s3://safe/a/b", "safe", "a/b", None),
            ("s3://safe/a/2026-11-21T031500Z", "safe", "a", Some(id)),
            ("s3://safe/2026-11-21T031500Z/", "safe", "", Some(id)),
        ] {
            let place = S3Place { bucket: bucket.into(), prefix: prefix.into(), id: with };
            assert_eq!(text.parse(), Ok(place.clone()), "{text}");
            assert_eq!(place.to_string(), text.trim_end_matches('/'));
        }
        for text in ["s3://", "s3:///a", "https://safe", "s3://a//b", "s3://a/../b", "s3://a/b c", "s3://a?b"] {
            assert!(text.parse::<S3Place>().is_err(), "{text}");
        }
        let place: S3Place = "s3://safe/a".parse().unwrap();
        assert_eq!((place.key("x"), place.shown("x")), ("a/x".into(), "s3://safe/a/x".into()));
    }

    #[test]
    fn the_bucket_is_in_the_path_unless_it_is_in_the_name() {
        let path = |url: Option<&str>| {
            let settings = S3 { url: url.map(|url| url.parse().unwrap()), region: "eu-1".into(), ..S3::default() };
            let endpoint = Endpoint::new(&settings, "safe").unwrap();
            (endpoint.shown(), endpoint.path(Some("a b")), endpoint.path(None))
        };
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(path(None), three("https://s3.eu-1.amazonaws.com", "/safe/a%20b", "/safe"));
        assert_eq!(path(Some("http://[::1]:9000/")), three("http://[::1]:9000", "/safe/a%20b", "/safe"));
        assert_eq!(
            path(Some("https://x.example/v1/s3")),
            three("https://x.example", "/v1/s3/safe/a%20b", "/v1/s3/safe")
        );
        assert_eq!(path(Some("https://safe.oss.example")), three("https://safe.oss.example", "/a%20b", "/"));
    }
}
