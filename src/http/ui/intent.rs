use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::chart::Chart;
use super::done::{Done, done};
use super::form::Form;
use super::{Frame, Tone, links, page, show};
use crate::app::App;
use crate::app::intents::{self, IntentError, Move, WHY_BYTES};
use crate::app::views::intents::{Evidence, IntentView};
use crate::domain::access::Actor;
use crate::domain::hourly::Series;
use crate::domain::id::{EventId, IntentId};
use crate::domain::intent::{Intent, MoveError};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/intents/{id}", Role::Viewer, intent),
        Route::form("/intents/{id}/acknowledge", Role::Operator, acknowledge),
        Route::form("/intents/{id}/resolve", Role::Operator, resolve),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    why: String,
}

#[derive(Template)]
#[template(path = "intent.html")]
struct IntentPage {
    frame: Frame,
    view: IntentView,
    chart: Option<Chart>,
    /// What the form held when it was refused, and why it was.
    why: String,
    misfit: String,
    now: Micros,
}

async fn intent(
    State(app): State<App>,
    PathPart(id): PathPart<IntentId>,
    Extension(caller): Extension<Caller>,
    Params(said): Params<Done>,
) -> Result<Response, ApiError> {
    let shown = IntentPage::of(app, id, &caller).await?;
    Ok(page(StatusCode::OK, &IntentPage { frame: said.onto(shown.frame), ..shown }))
}

async fn acknowledge(
    State(app): State<App>,
    PathPart(id): PathPart<IntentId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(verdict): Form<Verdict>,
) -> Result<Response, ApiError> {
    carry_out(app, id, caller, actor, Move::Acknowledge, verdict).await
}

async fn resolve(
    State(app): State<App>,
    PathPart(id): PathPart<IntentId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(verdict): Form<Verdict>,
) -> Result<Response, ApiError> {
    carry_out(app, id, caller, actor, Move::Resolve, verdict).await
}

async fn carry_out(
    app: App,
    id: IntentId,
    caller: Caller,
    actor: Actor,
    what: Move,
    Verdict { why }: Verdict,
) -> Result<Response, ApiError> {
    let (store, reason) = (app.store.clone(), why.clone());
    let step = move || Ok(intents::carry_out(&store, id, what, &actor, &reason, None, observe::now()));
    let refused = match blocking::<_, IntentError>(step).await? {
        Ok(_) => {
            let word = match what {
                Move::Acknowledge => "intent-acknowledged",
                Move::Resolve => "intent-resolved",
            };
            return Ok(done(&format!("/intents/{id}"), word));
        }
        Err(refused) => refused,
    };
    // What can be said beside the form is, with the intent as it now is below it.
    let (status, frame, misfit) = match &refused {
        IntentError::Move(error) => (StatusCode::CONFLICT, Some(conflict(error)), String::new()),
        IntentError::Why => (StatusCode::UNPROCESSABLE_ENTITY, None, refused.to_string()),
        _ => return Err(refused.into()),
    };
    let mut shown = IntentPage::of(app, id, &caller).await?;
    if let Some(sentence) = frame {
        shown.frame = shown.frame.notice(Tone::Bad, sentence);
    }
    Ok(page(status, &IntentPage { why, misfit, ..shown }))
}

/// Somebody else was first.
fn conflict(error: &MoveError) -> String {
    match error {
        MoveError::Resolved { by, .. } => {
            format!("Nothing was changed: {by} resolved this intent in the meantime. It is shown as it now is.")
        }
        MoveError::Acknowledged { by, .. } => {
            format!("Nothing was changed: {by} acknowledged this intent in the meantime. It is shown as it now is.")
        }
    }
}

impl IntentPage {
    async fn of(app: App, id: IntentId, caller: &Caller) -> Result<Self, ApiError> {
        let now = observe::now();
        let view = blocking(move || IntentView::find(&app, id, now.hour())).await?;
        let view = view.ok_or_else(|| ApiError::from(IntentError::Unknown(id)))?;
        let frame = Frame::of(format!("Intent {id}"), caller).at("/intents");
        let chart = view.evidence.as_ref().map(|evidence| chart(&view.intent, evidence));
        Ok(Self { frame, view, chart, why: String::new(), misfit: String::new(), now })
    }

    /// Whether the forms are for this caller: what is refused anyway is not offered.
    fn may_act(&self) -> bool {
        self.frame.may(Role::Operator) && self.view.intent.resolved.is_none()
    }

    /// All events behind it.
    fn all_events(&self, evidence: &Evidence) -> String {
        links::events([
            ("since", evidence.hour.start().rfc3339().as_str()),
            ("until", &evidence.hour.end().rfc3339()),
            ("unit", &evidence.unit),
            ("level", evidence.least.name()),
        ])
    }

    /// What to do about it, in words where the word is one of ours.
    fn action(&self) -> &str {
        match self.view.intent.suggested_action.as_str() {
            "investigate" => {
                "Investigate: read the events below, from the first error on, and what the unit says around them."
            }
            "retrain" => "Retrain the model.",
            other => other,
        }
    }
}

fn chart(intent: &Intent, evidence: &Evidence) -> Chart {
    let series = Series { name: Some("errors".to_owned()), names: 1, counts: evidence.errors.clone() };
    let over = evidence.errors.iter().filter(|count| **count > intent.threshold).count();
    let summary = format!(
        "{} errors in the hour from {}, threshold {}; {over} of these {} hours are above it. An error is a warning or worse.",
        show::count(intent.count),
        evidence.hour.start().datetime().format("%Y-%m-%d %H:%M"),
        intent.threshold,
        evidence.steps.count,
    );
    let title = format!("Errors an hour of {}", show::unit(&evidence.unit));
    Chart::bars("errors", title, summary, evidence.steps, series, intent.threshold, evidence.hour)
}
