//! What a form of ours carries and a form of somebody else's cannot: a token that follows from the session's secret.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// The header in which scripts send it.
const HEADER: &str = "x-csrf-token";

/// The field in which forms send it.
const FIELD: &str = "csrf";

/// Whether a request carries `expected`: in the header where there is one, else in the form's field. More than one of
/// either is none.
pub(super) fn is_carried(headers: &HeaderMap, body: &[u8], expected: &str) -> bool {
    if headers.contains_key(HEADER) {
        let mut values = headers.get_all(HEADER).iter();
        return match (values.next(), values.next()) {
            (Some(value), None) => same(value.as_bytes(), expected),
            _ => false,
        };
    }
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !is_form {
        return false;
    }
    let Ok(fields) = serde_urlencoded::from_bytes::<Vec<(String, String)>>(body) else { return false };
    let mut values = fields.iter().filter(|(name, _)| name == FIELD);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => same(value.as_bytes(), expected),
        _ => false,
    }
}

/// Compared in constant time, so that nobody can find it out digit by digit.
fn same(found: &[u8], expected: &str) -> bool {
    !expected.is_empty() && bool::from(found.ct_eq(expected.as_bytes()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn in_the_header_or_in_the_form_and_only_once() {
        const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
        let table: [(Headers<'_>, &str, bool); 15] = [
            (&[("x-csrf-token", "secret")], "", true),
            (&[("x-csrf-token", "Secret")], "", false),
            (&[("x-csrf-token", "secret2")], "", false),
            (&[("x-csrf-token", "")], "", false),
            (&[("x-csrf-token", "secret"), ("x-csrf-token", "secret")], "", false),
            (&[("x-csrf-token", "wrong"), FORM], "csrf=secret", false),
            (&[FORM], "csrf=secret", true),
            (&[("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")], "a=b&csrf=secret", true),
            (&[FORM], "csrf=secret&csrf=secret", false),
            (&[FORM], "csrf=secre", false),
            (&[FORM], "xcsrf=secret", false),
            (&[FORM], "", false),
            (&[("content-type", "text/plain")], "csrf=secret", false),
            (&[("content-type", "application/json")], "{\"csrf\": \"secret\"}", false),
            (&[], "csrf=secret", false),
        ];
        for (lines, body, expected) in table {
            let headers: HeaderMap = lines
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
                .collect();
            assert_eq!(is_carried(&headers, body.as_bytes(), "secret"), expected, "{lines:?} {body}");
        }
        assert!(!is_carried(&HeaderMap::new(), b"", ""), "an empty token is none");
    }
}
