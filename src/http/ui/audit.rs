//! `/audit`: who did what, what was refused, and whether the log is as it was written.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::field::{Choice, Field};
use super::form::Misfits;
use super::{Frame, page, show};
use crate::app::App;
use crate::app::accounts::{AuditPage, AuditQuery, AuditRow, Verified};
use crate::domain::audit::Outcome;
use crate::domain::instant;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

/// Records of a page.
const ROWS: usize = 100;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/audit", Role::Admin, list), Route::form("/audit/verify", Role::Admin, verify)]
}

/// The filter as it stands in the query: texts, so that what does not fit can be shown with what is wrong with it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Filter {
    #[serde(skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    since: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    until: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cursor: String,
}

impl Filter {
    /// What is asked of the log, unless something does not fit.
    fn query(&self, misfits: &mut Misfits) -> AuditQuery {
        let text = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut time = |field, text: &str| {
            let text = Some(text).filter(|text| !text.trim().is_empty())?;
            misfits.parsed(field, instant::parse(text, now()))
        };
        let (since, until) = (time("since", &self.since), time("until", &self.until));
        let outcome = match self.outcome.as_str() {
            "" => None,
            "done" => Some(Outcome::Done),
            "refused" => Some(Outcome::Refused),
            _ => misfits.parsed("outcome", Err("choose one of them")),
        };
        AuditQuery {
            by: text(&self.by),
            action: text(&self.action),
            subject: text(&self.subject),
            outcome,
            since,
            until,
            limit: Some(ROWS),
            cursor: text(&self.cursor),
        }
    }

    /// Whether it keeps anything out.
    fn filters(&self) -> bool {
        let Self { by, action, subject, outcome, since, until, cursor: _ } = self;
        [by, action, subject, outcome, since, until].iter().any(|text| !text.trim().is_empty())
    }

    /// Where the records before these are.
    fn older(&self, cursor: String) -> Option<String> {
        let query = serde_urlencoded::to_string(Self { cursor, ..self.clone() }).ok()?;
        Some(format!("/audit?{query}"))
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    verified: Option<Verified>,
    by: Field,
    action: Field,
    subject: Field,
    outcome: Field,
    since: Field,
    until: Field,
    filtered: bool,
    records: Vec<AuditRow>,
    older: Option<String>,
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(filter): Params<Filter>,
) -> Result<Response, ApiError> {
    shown(app, &caller, &filter, None).await
}

/// Reads the whole log, so it is asked for with a button and not with every look at the page.
async fn verify(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    let accounts = app.accounts.clone();
    let verified = blocking(move || accounts.verify_audit()).await?;
    shown(app, &caller, &Filter::default(), Some(verified)).await
}

async fn shown(app: App, caller: &Caller, filter: &Filter, verified: Option<Verified>) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let query = filter.query(&mut misfits);
    let found = match misfits.is_empty() {
        true => blocking(move || app.accounts.audit(&query)).await?,
        false => AuditPage::default(),
    };
    let (status, frame) = misfits.looked(Frame::of("Audit log", caller).at("/audit"));
    let line = |name, label, value: &str| Field::line(name, label).optional().value(value).misfit(misfits.of(name));
    let outcomes =
        [("", "any"), ("done", "done"), ("refused", "refused")].map(|(value, words)| Choice::new(value, words));
    let audit = Audit {
        frame,
        verified,
        by: line("by", "Who", &filter.by),
        action: line("action", "What begins with", &filter.action).hint("user., token., sign-in"),
        subject: line("subject", "To what", &filter.subject).hint("user anna, intent 7"),
        outcome: Field::choice("outcome", "Outcome", outcomes.into())
            .optional()
            .value(&filter.outcome)
            .misfit(misfits.of("outcome")),
        since: line("since", "Since", &filter.since).hint("-2h, today"),
        until: line("until", "Until", &filter.until),
        filtered: filter.filters(),
        records: found.records,
        older: found.next.and_then(|cursor| filter.older(cursor)),
    };
    Ok(page(status, &audit))
}
