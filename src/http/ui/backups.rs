//! `/backups`: which there are, whether they can be relied on, and how one is restored.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::done::{Done, done};
use super::field::Field;
use super::form::{Form, Misfits};
use super::{Frame, Tone, page, show};
use crate::app::App;
use crate::app::answers::backups::{
    AttemptAnswer, AttemptPage, BackupAnswer, BackupPage, BackupPageError, BackupQuery,
};
use crate::app::backups::{BackupsError, WHY_BYTES};
use crate::domain::access::Actor;
use crate::domain::backup::{AttemptKind, AttemptState, BackupId, CopyState, START, STOP};
use crate::domain::time::Micros;
use crate::http::api::backups::asked;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

/// Backups of a page.
const LINES: usize = 50;

/// Attempts of a page.
const ATTEMPTS: usize = 20;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/backups", Role::Viewer, list),
        Route::form("/backups", Role::Operator, make),
        Route::page("/backups/{id}", Role::Viewer, one),
        Route::form("/backups/{id}/verify", Role::Operator, verify),
    ]
}

#[derive(Template)]
#[template(path = "backups.html")]
struct BackupsPage {
    frame: Frame,
    /// What is there; none where nobody can tell.
    list: Option<BackupPage>,
    attempts: AttemptPage,
    /// Whether it is the page that begins with the newest.
    first: bool,
    why: Field,
    now: Micros,
}

#[derive(Template)]
#[template(path = "backup.html")]
struct OneBackupPage {
    frame: Frame,
    backup: BackupAnswer,
    /// What is under way with it.
    under_way: Option<AttemptAnswer>,
    now: Micros,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The backup below which they are listed.
    before: String,
    done: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    why: String,
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let frame = Done::new(&query.done).onto(Frame::of("Backups", &caller).at("/backups"));
    let shown = BackupsPage::find(app, frame, &query.before, &Sent::default(), &Misfits::default()).await?;
    Ok(page(StatusCode::OK, &shown))
}

async fn make(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let asked = asked(&caller, actor, None, sent.why.clone(), None);
    let making = app.clone();
    let made = blocking(move || Ok::<_, ApiError>(making.backups.make(&asked))).await?;
    match made {
        Ok(answer) if answer.joined => Ok(done("/backups", "backup-joined")),
        Ok(_) => Ok(done("/backups", "backup-asked")),
        Err(BackupsError::Bad { why, .. }) => {
            let mut misfits = Misfits::default();
            misfits.add("why", why);
            let (status, frame) = misfits.frame(Frame::of("Backups", &caller).at("/backups"));
            Ok(page(status, &BackupsPage::find(app, frame, "", &sent, &misfits).await?))
        }
        Err(error) => Err(error.into()),
    }
}

async fn one(
    State(app): State<App>,
    PathPart(id): PathPart<BackupId>,
    Extension(caller): Extension<Caller>,
    Params(said): Params<Done>,
) -> Result<Response, ApiError> {
    let now = observe::now();
    let frame = said.onto(Frame::of(format!("Backup {id}"), &caller).at("/backups"));
    let (backup, open) = blocking(move || {
        let (kept, standing) = app.backups.kept(id, now)?;
        let of_it = standing.attempts.iter().find(|attempt| attempt.backup == Some(id) && !attempt.state.is_over());
        Ok::<_, BackupsError>((BackupAnswer::of(&kept, &standing), of_it.map(AttemptAnswer::from)))
    })
    .await?;
    Ok(page(StatusCode::OK, &OneBackupPage { frame, backup, under_way: open, now }))
}

async fn verify(
    State(app): State<App>,
    PathPart(id): PathPart<BackupId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    let asked = asked(&caller, actor, None, String::new(), None);
    blocking(move || app.backups.verify(id, &asked)).await?;
    Ok(done(&format!("/backups/{id}"), "backup-verifying"))
}

impl BackupsPage {
    async fn find(app: App, frame: Frame, before: &str, sent: &Sent, misfits: &Misfits) -> Result<Self, ApiError> {
        let now = observe::now();
        let cursor = Some(before.to_owned()).filter(|before| !before.is_empty());
        let first = cursor.is_none();
        let (list, attempts) = blocking(move || {
            let query = BackupQuery { limit: Some(LINES), cursor };
            let list = match BackupPage::find(&app.backups, &query, now) {
                Err(BackupPageError::Backups(BackupsError::Unreadable(why))) => Err(why),
                list => Ok(list?),
            };
            let latest = BackupQuery { limit: Some(ATTEMPTS), cursor: None };
            Ok::<_, ApiError>((list, AttemptPage::find(&app.store, &latest)?))
        })
        .await?;
        let (list, frame) = match list {
            Ok(list) => (Some(list), frame),
            Err(why) => (None, frame.notice(Tone::Bad, format!("Nobody knows which backups there are: {why}."))),
        };
        let why = Field::line("why", "Why").optional().most(WHY_BYTES).value(&sent.why).misfit(misfits.of("why"));
        Ok(Self { frame, list, attempts, first, why, now })
    }
}

impl OneBackupPage {
    fn is_encrypted(&self) -> bool {
        self.backup.contents.as_ref().is_some_and(|contents| contents.encrypted)
    }

    /// The commands that restore it.
    fn restore(&self) -> String {
        let identity = if self.is_encrypted() { " --identity FILE" } else { "" };
        let id = self.backup.id;
        format!("{STOP}\nquantum-clm restore {id}{identity} --dry-run\nquantum-clm restore {id}{identity}\n{START}")
    }
}

/// What an attempt was for.
fn purpose(attempt: &AttemptAnswer) -> &'static str {
    match attempt.kind {
        AttemptKind::Make => "make one",
        AttemptKind::Verify => "verify",
    }
}

/// The class of a state's badge.
fn tone(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Waiting => "",
        AttemptState::Running => "job-running",
        AttemptState::Done => "good",
        AttemptState::Failed => "bad",
        AttemptState::Interrupted | AttemptState::Inconclusive => "warn",
    }
}

/// The class of a copy's badge.
fn copy_tone(state: CopyState) -> &'static str {
    match state {
        CopyState::Waiting => "",
        CopyState::Running => "job-running",
        CopyState::Done => "good",
        CopyState::Failed => "bad",
    }
}

/// How a copy elsewhere stands, in a word.
fn copy_word(state: CopyState) -> &'static str {
    match state {
        CopyState::Waiting => "waits",
        CopyState::Running => "on its way",
        CopyState::Done => "there",
        CopyState::Failed => "not there",
    }
}

/// What is being done, in words.
fn step(attempt: &AttemptAnswer) -> &'static str {
    attempt.step.map_or("beginning", |stage| stage.words())
}

/// How long it took, or has taken so far.
fn took(attempt: &AttemptAnswer, now: Micros) -> String {
    match (attempt.begun_at, attempt.ended_at) {
        (Some(begun), Some(ended)) => show::span(ended.0.saturating_sub(begun.0)),
        (Some(begun), None) => show::since(begun, now),
        (None, _) => String::new(),
    }
}
