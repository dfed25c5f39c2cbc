//! `/account`: who is signed in, and their own password.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::done::done;
use super::field::Field;
use super::form::{Form, Misfits};
use super::users::{may, new_password, same};
use super::{Frame, page};
use crate::app::App;
use crate::app::accounts::SignInError;
use crate::domain::access::Actor;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::peer::{Caller, Credential, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/account", Role::Viewer, show), Route::form("/account/password", Role::Viewer, change)]
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    may: &'static str,
    /// Whether the caller is a user, who has a password; programs and processes have none.
    is_user: bool,
    current: Field,
    password: Field,
    repeat: Field,
}

async fn show(Extension(caller): Extension<Caller>) -> Response {
    shown(&caller, &Misfits::default())
}

fn shown(caller: &Caller, misfits: &Misfits) -> Response {
    let (status, frame) = misfits.frame(Frame::of("Your account", caller).at("/account"));
    let is_user = matches!(caller.credential, Credential::Session { .. });
    let current = Field::password("current", "Present password", "current-password").misfit(misfits.of("current"));
    let [password, repeat] = new_password(misfits);
    page(status, &Account { may: may(frame.role), frame, is_user, current, password, repeat })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Change {
    current: String,
    password: String,
    repeat: String,
}

async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(sent): Form<Change>,
) -> Result<Response, ApiError> {
    let user = match (&caller.credential, caller.name.parse()) {
        (Credential::Session { .. }, Ok(user)) => user,
        _ => return Err(ApiError::Conflict("only somebody who is signed in has a password to change".to_owned())),
    };
    let mut misfits = Misfits::default();
    same(&mut misfits, &sent.password, &sent.repeat);
    if !misfits.is_empty() {
        return Ok(shown(&caller, &misfits));
    }
    let accounts = app.accounts.clone();
    let attempt = move || Ok::<_, ApiError>(accounts.change_own_password(&actor, &user, &sent.current, sent.password));
    match blocking(attempt).await? {
        Ok(_) => return Ok(done("/sign-in", "own-password")),
        Err(error @ SignInError::Wait { seconds }) => {
            misfits.add("current", error);
            let mut response = shown(&caller, &misfits);
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return Ok(response);
        }
        Err(SignInError::Wrong { .. }) => misfits.add("current", "this is not your present password"),
        Err(SignInError::Account(error)) => {
            misfits.attempt("password", Err::<(), _>(error))?;
        }
    }
    Ok(shown(&caller, &misfits))
}
