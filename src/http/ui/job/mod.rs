//! `/jobs/{id}`: what a job was asked to do, how far it is, what its programs write, and what came of it.

mod act;
mod log;
mod steps;
pub(super) mod words;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use self::log::{LogAsked, LogView};
use self::steps::{StepRow, rows};
use super::done::Done;
use super::form::Misfits;
use super::{Frame, links, page, registry, show};
use crate::app::App;
use crate::app::answers::jobs::{JobDetail, JobLogs, LogError};
use crate::domain::job::{JobId, JobState};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    let mut routes = vec![Route::page("/jobs/{id}", Role::Viewer, job)];
    routes.extend(act::routes());
    routes
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// Whose log.
    epoch: String,
    from: String,
    before: String,
    grep: String,
    done: String,
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    detail: JobDetail,
    steps: Vec<StepRow>,
    log: LogView,
    now: Micros,
}

/// A path that names no job is one at which nothing is.
fn job_id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound("there is no such job".to_owned()))
}

async fn job(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(id): PathPart<String>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let (id, now) = (job_id(&id)?, observe::now());
    let asked = LogAsked {
        epoch: query.epoch.parse().ok().filter(|epoch| *epoch > 0),
        from: query.from.parse().ok(),
        before: query.before.parse().ok(),
        grep: query.grep,
    };
    let log_asked = asked.clone();
    let look = move || {
        let detail = JobDetail::find(&app.jobs, &app.store, &app.registry, id, now)?;
        let logs = JobLogs::of(&app.jobs, id);
        // What does not fit is said at its field, above the newest lines.
        let (page, misfit) = match logs.page(&log_asked.query()) {
            Ok(page) => (page, String::new()),
            Err(LogError::Query(error)) => (logs.page(&LogAsked::default().query())?, error.to_string()),
            Err(error) => return Err(error.into()),
        };
        Ok::<_, ApiError>((detail, page, misfit))
    };
    let (detail, lines, misfit) = blocking(look).await?;
    let mut misfits = Misfits::default();
    if !misfit.is_empty() {
        misfits.add("grep", misfit);
    }
    let frame = Done::new(&query.done).onto(Frame::of(id.to_string(), &caller).at("/jobs"));
    let (status, frame) = misfits.looked(frame);
    let log = LogView::new(&detail, lines, asked, misfits.of("grep"));
    Ok(page(status, &JobPage { frame, steps: rows(&detail, now), log, detail, now }))
}

impl JobPage {
    /// What it does.
    fn work(&self) -> &'static str {
        if self.detail.hook.is_some() { "The promotion hook" } else { "A training" }
    }

    fn may_cancel(&self) -> bool {
        self.frame.may(Role::Operator) && !self.detail.job.state.is_over() && self.detail.job.cancel.is_none()
    }

    fn may_retry(&self) -> bool {
        let fits = matches!(self.detail.job.state, JobState::Failed | JobState::Cancelled);
        // Each is done again once: what comes after it in its chain is what may be retried.
        self.frame.may(Role::Operator) && fits && self.detail.later.is_empty()
    }
}
