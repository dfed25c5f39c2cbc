//! The cookie of a session.
//!
//! `__Host-` makes browsers take it only over TLS (or from this machine), only for this very host and only with
//! `Path=/`: neither a neighbouring subdomain nor a page beside ours can set another in its place. `SameSite=Strict`: it
//! does not come along from other sites. `HttpOnly`: no script sees it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use super::error::ApiError;
use crate::domain::account::SecretText;

/// Its name.
const NAME: &str = "__Host-quantum-clm";

/// What takes it away again. The attributes are those it was set with, or browsers would keep it.
const CLEARED: &str = "__Host-quantum-clm=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";

/// The value of `Set-Cookie` for somebody who has signed in.
pub fn set(secret: &SecretText, lifetime: Duration) -> Result<HeaderValue, ApiError> {
    let seconds = lifetime.as_secs();
    let text = format!("{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}", secret.expose());
    let mut value = HeaderValue::try_from(text).map_err(ApiError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The value of `Set-Cookie` for somebody who has signed out.
pub fn clear() -> HeaderValue {
    HeaderValue::from_static(CLEARED)
}

/// The secret that a request carries. Two of them are refused: no browser sends that, and which one counts is exactly what
/// somebody would like to choose who planted the other.
pub fn find(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut found = None;
    for header in headers.get_all(header::COOKIE) {
        // Others' cookies may hold anything; ours is ASCII.
        for cookie in header.as_bytes().split(|byte| *byte == b';') {
            let Ok(cookie) = std::str::from_utf8(cookie) else { continue };
            let Some((name, value)) = cookie.split_once('=') else { continue };
            if name.trim() == NAME && found.replace(value.trim()).is_some() {
                return Err(ApiError::Refused(format!("two cookies {NAME}: send one")));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (header::COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn what_is_set_is_found() {
        let secret = SecretText::of([9; 32]);
        let set = set(&secret, Duration::from_secs(604_800)).unwrap();
        assert!(set.is_sensitive(), "it would be shown where headers are");
        let set = set.to_str().unwrap();
        let expected = "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800";
        let pair = set.strip_suffix(expected).unwrap_or_else(|| panic!("{set}"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::try_from(format!("a=b; {pair}; c=d")).unwrap());
        assert_eq!(find(&headers).unwrap(), Some(secret.expose()));
        assert!(CLEARED.starts_with(&format!("{NAME}=; ")));
    }

    #[test]
    fn one_at_most_and_only_by_its_whole_name() {
        for (lines, expected) in [
            (&[][..], Some(None)),
            (&["a=b"], Some(None)),
            (&["quantum-clm=x; x__Host-quantum-clm=y; __Host-quantum-clm2=z"], Some(None)),
            (&["__Host-quantum-clm=x"], Some(Some("x"))),
            (&["a=1;__Host-quantum-clm=x ;b"], Some(Some("x"))),
            (&["a=1", "__Host-quantum-clm=x"], Some(Some("x"))),
            (&["__Host-quantum-clm=x; __Host-quantum-clm=x"], None),
            (&["__Host-quantum-clm=x", "__Host-quantum-clm=y"], None),
        ] {
            assert_eq!(find(&headers(lines)).ok(), expected, "{lines:?}");
        }
        let mut odd = HeaderMap::new();
        odd.insert(header::COOKIE, HeaderValue::from_bytes(b"x=\xff; __Host-quantum-clm=y").unwrap());
        assert_eq!(find(&odd).unwrap(), Some("y"));
    }
}
