use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

use crate::domain::request::host::Scheme;

/// What every answer tells a browser, unless it says something else itself.
const ALWAYS: [(HeaderName, &str); 8] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    // For JSON, which nothing is to be loaded by or framed in. Pages set their own.
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    // For browsers that do not know frame-ancestors.
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    // Other sites' pages neither hold a window of ours nor load anything from here.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Nothing here asks for any of it, so HTML that somebody smuggled in cannot either.
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// A year, for this name only: what else the proxy serves is not ours to decide.
const TRANSPORT: &str = "max-age=31536000";

/// Adds what an answer does not have yet.
pub(super) fn secure(headers: &mut HeaderMap, scheme: Scheme) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if scheme == Scheme::Https {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(TRANSPORT));
    }
}
