//! `/jobs/{id}/cancel` and `…/retry`: what an operator does with a job.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::job_id;
use crate::app::App;
use crate::app::jobs::JobError;
use crate::domain::job::{Job, JobId};
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::PathPart;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::http::ui::act::{Asker, reason};
use crate::http::ui::done::done;
use crate::http::ui::field::Field;
use crate::http::ui::form::{Form, sentence};
use crate::http::ui::{Frame, Tone, links, page};

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/jobs/{id}/cancel", Role::Operator, ask_cancel),
        Route::form("/jobs/{id}/cancel", Role::Operator, cancel),
        Route::form("/jobs/{id}/retry", Role::Operator, retry),
    ]
}

#[derive(Template)]
#[template(path = "job_act.html")]
struct ActPage {
    frame: Frame,
    id: JobId,
    /// Why there is nothing to send.
    refusal: Option<String>,
    consequences: Vec<String>,
    why: Field,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    why: String,
}

async fn ask_cancel(
    State(app): State<App>,
    asker: Asker,
    PathPart(id): PathPart<String>,
) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    Ok(page(StatusCode::OK, &ActPage::cancel(&app, &asker, id, "", "").await?))
}

async fn cancel(
    State(app): State<App>,
    asker: Asker,
    PathPart(id): PathPart<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    let (ask, jobs, why) = (asker.ask(), app.jobs.clone(), sent.why.clone());
    let refused = match blocking(move || Ok::<_, ApiError>(jobs.cancel(&ask, id, &why))).await? {
        Ok(_) => return Ok(done(&links::job(id), "job-cancelled")),
        Err(refused) => refused,
    };
    let (status, misfit, notice) = match refused {
        JobError::Bad { why, .. } => {
            let misfit = sentence(why);
            let notice = format!("Nothing was changed. {misfit}");
            (StatusCode::UNPROCESSABLE_ENTITY, misfit, notice)
        }
        JobError::Refused(refusal) => (StatusCode::CONFLICT, String::new(), format!("Nothing was changed: {refusal}.")),
        other => return Err(other.into()),
    };
    let mut shown = ActPage::cancel(&app, &asker, id, &sent.why, &misfit).await?;
    shown.frame = shown.frame.notice(Tone::Bad, notice);
    Ok(page(status, &shown))
}

async fn retry(State(app): State<App>, asker: Asker, PathPart(id): PathPart<String>) -> Result<Response, ApiError> {
    let id = job_id(&id)?;
    let (ask, jobs) = (asker.ask(), app.jobs.clone());
    let refused = match blocking(move || Ok::<_, ApiError>(jobs.retry(&ask, id))).await? {
        Ok(job) => return Ok(done(&links::job(job.id), "job-retried")),
        Err(refused) => refused,
    };
    match refused {
        JobError::Refused(_) | JobError::Again { .. } | JobError::Open(_) | JobError::Full(_) => {
            let frame = Frame::of(format!("Retry {id}"), &asker.caller).at("/jobs");
            let frame = frame.notice(Tone::Bad, format!("Nothing was asked for: {refused}."));
            let refusal = Some("It is not done again.".to_owned());
            let shown = ActPage { frame, id, refusal, consequences: Vec::new(), why: reason("", "") };
            Ok(page(StatusCode::CONFLICT, &shown))
        }
        other => Err(other.into()),
    }
}

impl ActPage {
    /// The page before a job is called off.
    async fn cancel(app: &App, asker: &Asker, id: JobId, why: &str, misfit: &str) -> Result<Self, ApiError> {
        let jobs = app.jobs.clone();
        let job = blocking(move || jobs.get(id)).await?;
        let frame = Frame::of(format!("Cancel {id}"), &asker.caller).at("/jobs");
        Ok(Self { frame, id, refusal: refusal(&job), consequences: consequences(&job), why: reason(why, misfit) })
    }
}

fn refusal(job: &Job) -> Option<String> {
    match (&job.cancel, job.state.is_over()) {
        (_, true) => Some(format!("It is {}: nothing is left to be called off.", job.state)),
        (Some(cancel), false) => Some(format!("{} has called it off already: {}", cancel.by, cancel.why)),
        (None, false) => None,
    }
}

fn consequences(job: &Job) -> Vec<String> {
    if job.state.is_over() {
        return Vec::new();
    }
    let first = match &job.lease {
        Some(lease) if job.state.is_held() => format!(
            "{} is told to end its processes: asked first, and killed after a while. The job is cancelled when none is left.",
            lease.worker
        ),
        _ => "It leaves the queue at once.".to_owned(),
    };
    let version = job.version.as_ref().map(|version| format!("The version {version}, which it has registered, stays."));
    let again = "What was finished is kept: a retry goes on behind it.".to_owned();
    std::iter::once(first).chain(version).chain([again]).collect()
}
