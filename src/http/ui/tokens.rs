//! `/tokens`: what programs are known by. The text of one is shown on the page that answers its making, and nowhere else.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::confirm::Confirm;
use super::done::{Done, done};
use super::field::{Choice, Field};
use super::form::{Form, Misfits};
use super::users::may;
use super::{Frame, page, show};
use crate::app::App;
use crate::app::accounts::{NewToken, TokenRow};
use crate::domain::access::{Actor, Grant, Scope};
use crate::domain::account::TokenName;
use crate::domain::id::TokenId;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

/// Seconds of a day.
const DAY: u64 = 86_400;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/tokens", Role::Admin, list),
        Route::form("/tokens", Role::Admin, create),
        Route::page("/tokens/{id}/revoke", Role::Admin, ask_revoke),
        Route::form("/tokens/{id}/revoke", Role::Admin, revoke),
    ]
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens {
    frame: Frame,
    made: Option<NewToken>,
    tokens: Vec<TokenRow>,
    name: Field,
    grant: Field,
    days: Field,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    name: String,
    grant: String,
    days: String,
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Done>,
) -> Result<Response, ApiError> {
    let frame = query.onto(frame(&caller));
    shown(app, frame, &Wanted::default(), &Misfits::default(), None).await
}

fn frame(caller: &Caller) -> Frame {
    Frame::of("Tokens", caller).at("/tokens")
}

async fn shown(
    app: App,
    frame: Frame,
    wanted: &Wanted,
    misfits: &Misfits,
    made: Option<NewToken>,
) -> Result<Response, ApiError> {
    let (most, usual) = app.accounts.token_lifetimes();
    let (most, usual) = (most.as_secs() / DAY, usual.as_secs() / DAY);
    let tokens = blocking(move || app.accounts.tokens()).await?.tokens;
    let (status, frame) = misfits.frame(frame);
    let options = Grant::GIVEN.map(|grant| Choice::new(grant.as_str(), format!("{grant}: {}", may_do(grant))));
    let days = if wanted.days.is_empty() { usual.to_string() } else { wanted.days.clone() };
    let page_of_tokens = Tokens {
        frame,
        made,
        tokens,
        name: Field::line("name", "Name")
            .value(&wanted.name)
            .autocomplete("off")
            .most(TokenName::MOST)
            .hint("What will use it: the audit log calls it so.")
            .misfit(misfits.of("name")),
        grant: Field::choice("grant", "For", options.into()).value(&wanted.grant).misfit(misfits.of("grant")),
        days: Field::number("days", "Expires in days", 1, most).value(days).misfit(misfits.of("days")),
    };
    Ok(page(status, &page_of_tokens))
}

/// What a grant is good for, in words that follow on its name.
fn may_do(grant: Grant) -> &'static str {
    match grant {
        Grant::Role(role) => may(role),
        Grant::Scope(Scope::Publish) => "sends events in, and nothing else",
        Grant::Scope(Scope::Worker) => {
            "takes jobs and reports on them, and registers, uploads and evaluates versions of models; nothing else"
        }
    }
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(wanted): Form<Wanted>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let name = misfits.parsed("name", wanted.name.trim().parse::<TokenName>());
    let grant = misfits.parsed("grant", wanted.grant.parse::<Grant>());
    let most = app.accounts.token_lifetimes().0.as_secs() / DAY;
    let days = wanted.days.trim().parse::<u64>().ok().filter(|days| (1..=most).contains(days));
    let days = misfits.parsed("days", days.ok_or_else(|| format!("a token lives from 1 to {most} days")));
    if let (Some(name), Some(grant), Some(days)) = (name, grant, days) {
        let (accounts, lifetime) = (app.accounts.clone(), Duration::from_secs(days * DAY));
        let attempt = move || Ok::<_, ApiError>(accounts.create_token(&actor, name, grant, Some(lifetime)));
        if let Some(made) = misfits.attempt("name", blocking(attempt).await?)? {
            return shown(app, frame(&caller), &Wanted::default(), &misfits, Some(made)).await;
        }
    }
    shown(app, frame(&caller), &wanted, &misfits, None).await
}

async fn ask_revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(id): PathPart<TokenId>,
) -> Result<Response, ApiError> {
    let tokens = blocking(move || app.accounts.tokens()).await?.tokens;
    let token = tokens.into_iter().find(|token| token.id == id);
    let token =
        token.ok_or_else(|| ApiError::NotFound(format!("there is no token {id}: it may be revoked already")))?;
    Ok(Confirm {
        frame: Frame::of(format!("Revoke {}?", token.name), &caller).at("/tokens"),
        question: format!(
            "From now on, whatever sends the token that begins with {} is refused. This cannot be taken back.",
            token.prefix
        ),
        button: "Revoke",
        action: format!("/tokens/{id}/revoke"),
        back: "/tokens".to_owned(),
    }
    .page())
}

async fn revoke(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(id): PathPart<TokenId>,
) -> Result<Response, ApiError> {
    blocking(move || app.accounts.revoke_token(&actor, id)).await?;
    Ok(done("/tokens", "token-revoked"))
}
