use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::error::ApiError;
use super::peer::Role;
use super::routes::Route;
use crate::observe::metrics::Metrics;

/// Where browsers report what a page tried against its policy.
pub(super) const REPORT_PATH: &str = "/csp-report";

/// What pages may load and do: only what this server serves, no inline script or style, framed by nobody, and forms only
/// to us. Reports go to `report-uri`: its successor `report-to` comes late, by batches, and over https only.
pub(super) const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                                 object-src 'none'; report-uri /csp-report";

/// A report says where, which rule, and what; that is far less.
const REPORT_BYTES: usize = 8 << 10;

/// How often a report is logged. All are counted.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Outer {
    csp_report: Report,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    #[serde(default)]
    document_uri: String,
    #[serde(default)]
    violated_directive: String,
    #[serde(default)]
    blocked_uri: String,
}

/// The one route. It is open to everybody, for the sign-in page too may be attacked; the borders keep other sites' pages
/// from filling it.
pub(super) fn routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Metrics: FromRef<S>,
{
    let logged = Arc::new(Mutex::new(None));
    let report = move |State(metrics): State<Metrics>, body: Bytes| std::future::ready(take(&metrics, &logged, &body));
    vec![Route::post(REPORT_PATH, Role::Open, report).body_bytes(REPORT_BYTES)]
}

fn take(metrics: &Metrics, logged: &Mutex<Option<Instant>>, body: &[u8]) -> Result<StatusCode, ApiError> {
    let Outer { csp_report: report } =
        serde_json::from_slice(body).map_err(|error| ApiError::unfit("body", "", error.to_string()))?;
    metrics.csp_reports.inc();
    let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
    if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
        *logged = Some(Instant::now());
        tracing::warn!(
            page = short(&report.document_uri),
            rule = short(&report.violated_directive),
            what = short(&report.blocked_uri),
            "a browser reports that a page broke its policy (further reports of this minute are only counted): an \
             extension of the browser, or somebody's HTML in a page"
        );
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A stranger's words, short enough for the log; the log itself escapes what is not text.
fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
