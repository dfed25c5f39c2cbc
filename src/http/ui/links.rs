//! Addresses of pages.

use std::fmt::Write as _;

use super::show::Given;
use crate::domain::job::JobId;
use crate::domain::model::{ModelId, VersionName};
use crate::domain::request::target;

/// The page of a correlation id, whatever characters it has. In the path where it can stand there; `.`, `..`, slashes and
/// the like would mean something else to browsers and proxies, so such ids go into the query.
pub(in crate::http) fn correlation(id: &str) -> String {
    let path = format!("/correlations/{}", encoded(id));
    if !id.is_empty() && target::check(&path, None).is_ok() {
        path
    } else {
        format!("/correlations?id={}", encoded(id))
    }
}

/// The Events page with these filters; those without a value are left out.
pub(in crate::http) fn events<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    with_query("/events", filters)
}

/// The Events page with one filter.
pub(in crate::http) fn events_of(filter: &str, value: &str) -> String {
    events([(filter, value)])
}

/// `path` with a query; parameters without a value are left out.
pub(in crate::http) fn with_query<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut address = path.to_owned();
    for (name, value) in query.into_iter().filter(|(_, value)| !value.is_empty()) {
        let separator = if address.len() == path.len() { '?' } else { '&' };
        // Writing to a string cannot fail.
        let _ = write!(address, "{separator}{name}={}", encoded(value));
    }
    address
}

// Names of models and versions have nothing in them that means anything in a path.

/// A model's page.
pub(in crate::http) fn model(model: &ModelId) -> String {
    format!("/models/{model}")
}

/// A version's page.
pub(in crate::http) fn version(model: &ModelId, version: &VersionName) -> String {
    format!("/models/{model}/versions/{version}")
}

/// Where a version is promoted, or its promotion approved.
pub(in crate::http) fn promote(model: &ModelId, version: &VersionName) -> String {
    format!("/models/{model}/versions/{version}/promote")
}

/// Where a model is rolled back.
pub(in crate::http) fn rollback(model: &ModelId) -> String {
    format!("/models/{model}/rollback")
}

/// A job's page.
pub(in crate::http) fn job(job: impl Given<JobId>) -> String {
    format!("/jobs/{}", job.given())
}

/// A path of several parts, each encoded.
pub(in crate::http) fn path(text: &str) -> String {
    text.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_kind_have_a_page() {
        for (id, expect) in [
            ("60965827-3887", "/correlations/60965827-3887"),
            ("a b&c?d#e%20", "/correlations/a%20b%26c%3Fd%23e%2520"),
            ("\"><script>", "/correlations/%22%3E%3Cscript%3E"),
            ("ü", "/correlations/%C3%BC"),
            ("..", "/correlations?id=.."),
            ("a/b", "/correlations?id=a%2Fb"),
            ("a\\b", "/correlations?id=a%5Cb"),
            ("a\tb", "/correlations?id=a%09b"),
            ("", "/correlations?id="),
        ] {
            assert_eq!(correlation(id), expect, "{id:?}");
        }
        let long = "x".repeat(target::PATH_BYTES);
        assert!(correlation(&long).starts_with("/correlations?id="), "too long for a path");
    }

    #[test]
    fn filters_without_a_value_are_left_out() {
        assert_eq!(events([("unit", "a&b"), ("symbol", ""), ("since", "-1h")]), "/events?unit=a%26b&since=-1h");
        assert_eq!(events([("unit", "")]), "/events");
    }
}
