//! `/dead-letters`: messages of the bus that came to nothing, and what an operator does with them.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::done::{Done, done};
use super::form::Form;
use super::{Frame, Tone, page, show};
use crate::app::App;
use crate::app::answers::{DeadLetterAnswer, DeadLetterDetail, DeadLetterPage, DeadLetterQuery, QueryError};
use crate::app::bus_in::{LetterError, LetterMove};
use crate::app::intents::WHY_BYTES;
use crate::domain::access::Actor;
use crate::domain::bus_in::LetterStateName;
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

/// Letters of a page.
const LINES: usize = 50;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/dead-letters", Role::Viewer, list),
        Route::page("/dead-letters/{number}", Role::Viewer, one),
        Route::form("/dead-letters/{number}/replay", Role::Operator, replay),
        Route::form("/dead-letters/{number}/discard", Role::Operator, discard),
    ]
}

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct LettersPage {
    frame: Frame,
    letters: DeadLetterPage,
    /// Whether it is the page that begins with the newest.
    first: bool,
    now: Micros,
}

#[derive(Template)]
#[template(path = "dead_letter.html")]
struct LetterPage {
    frame: Frame,
    detail: DeadLetterDetail,
    /// What the form held when it was refused, and why it was.
    why: String,
    misfit: String,
    now: Micros,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The number below which letters are listed.
    before: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    why: String,
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
    Params(said): Params<Done>,
) -> Result<Response, ApiError> {
    let cursor = query.before.map(|before| before.to_string());
    let asked = DeadLetterQuery { limit: Some(LINES), cursor, ..DeadLetterQuery::default() };
    let letters = blocking::<_, QueryError>(move || DeadLetterPage::find(&app.store, &asked)).await?;
    let frame = said.onto(Frame::of("Dead letters", &caller).at("/dead-letters"));
    Ok(page(StatusCode::OK, &LettersPage { frame, letters, first: query.before.is_none(), now: observe::now() }))
}

async fn one(
    State(app): State<App>,
    PathPart(number): PathPart<u64>,
    Extension(caller): Extension<Caller>,
    Params(said): Params<Done>,
) -> Result<Response, ApiError> {
    let shown = LetterPage::of(app, number, &caller).await?;
    Ok(page(StatusCode::OK, &LetterPage { frame: said.onto(shown.frame), ..shown }))
}

async fn replay(
    State(app): State<App>,
    PathPart(number): PathPart<u64>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    carry_out(app, number, caller, actor, LetterMove::Replay).await
}

async fn discard(
    State(app): State<App>,
    PathPart(number): PathPart<u64>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(Reason { why }): Form<Reason>,
) -> Result<Response, ApiError> {
    carry_out(app, number, caller, actor, LetterMove::Discard(why)).await
}

async fn carry_out(
    app: App,
    number: u64,
    caller: Caller,
    actor: Actor,
    what: LetterMove,
) -> Result<Response, ApiError> {
    let (bus_in, asked) = (app.bus_in.clone(), what.clone());
    let step = move || Ok::<_, LetterError>(bus_in.carry_out(number, &asked, &actor, observe::now()));
    let refused = match blocking(step).await? {
        Ok(_) => {
            let word = match what {
                LetterMove::Replay => "letter-replayed",
                LetterMove::Discard(_) => "letter-discarded",
            };
            return Ok(done(&format!("/dead-letters/{number}"), word));
        }
        Err(refused) => refused,
    };
    // What can be said beside the form is, with the letter as it now is below it.
    let (status, notice, misfit) = match &refused {
        LetterError::Over { what, by, .. } => {
            let sentence = format!("Nothing was changed: {by} was first, and it was {what}.");
            (StatusCode::CONFLICT, Some(sentence), String::new())
        }
        LetterError::Failed { why, .. } => {
            (StatusCode::CONFLICT, Some(format!("It failed again: {why}.")), String::new())
        }
        LetterError::Why => (StatusCode::UNPROCESSABLE_ENTITY, None, refused.to_string()),
        LetterError::Unknown(_) | LetterError::Store(_) => return Err(refused.into()),
    };
    let mut shown = LetterPage::of(app, number, &caller).await?;
    if let Some(sentence) = notice {
        shown.frame = shown.frame.notice(Tone::Bad, sentence);
    }
    let why = match what {
        LetterMove::Discard(why) => why,
        LetterMove::Replay => String::new(),
    };
    Ok(page(status, &LetterPage { why, misfit, ..shown }))
}

impl LettersPage {
    /// Whether a letter may be replayed by this caller.
    fn may_replay(&self, letter: &DeadLetterAnswer) -> bool {
        self.frame.may(Role::Operator) && letter.state == LetterStateName::Waiting && !letter.cut
    }
}

impl LetterPage {
    async fn of(app: App, number: u64, caller: &Caller) -> Result<Self, ApiError> {
        let found = blocking(move || DeadLetterDetail::find(&app.store, number)).await?;
        let detail = found.ok_or_else(|| ApiError::from(LetterError::Unknown(number)))?;
        let frame = Frame::of(format!("Dead letter {number}"), caller).at("/dead-letters");
        Ok(Self { frame, detail, why: String::new(), misfit: String::new(), now: observe::now() })
    }

    /// Whether the forms are for this caller: what is refused anyway is not offered.
    fn may_act(&self) -> bool {
        self.frame.may(Role::Operator) && self.detail.letter.state == LetterStateName::Waiting
    }
}

/// A state's class for its badge.
fn tone(state: &LetterStateName) -> &'static str {
    match state {
        LetterStateName::Waiting => "warn",
        LetterStateName::Replayed => "ok",
        LetterStateName::Discarded => "",
    }
}
