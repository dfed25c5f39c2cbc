//! `/users`: everybody who may sign in, and adding one more.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::done::{Done, done};
use super::field::{Choice, Field};
use super::form::{Form, Misfits};
use super::{Frame, page, show};
use crate::app::App;
use crate::app::accounts::UserRow;
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::domain::role::Role;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Caller;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/users", Role::Admin, list), Route::form("/users", Role::Admin, add)]
}

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    frame: Frame,
    users: Vec<UserRow>,
    name: Field,
    role: Field,
    password: Field,
    repeat: Field,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Added {
    name: String,
    role: String,
    password: String,
    repeat: String,
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Done>,
) -> Result<Response, ApiError> {
    let frame = query.onto(Frame::of("Users", &caller).at("/users"));
    shown(app, frame, &Added::default(), &Misfits::default()).await
}

async fn shown(app: App, frame: Frame, added: &Added, misfits: &Misfits) -> Result<Response, ApiError> {
    let users = blocking(move || app.accounts.users()).await?.users;
    let (status, frame) = misfits.frame(frame);
    let name = Field::line("name", "Name").value(&added.name).autocomplete("off").most(UserName::MOST);
    let [password, repeat] = new_password(misfits);
    let users = Users {
        frame,
        users,
        name: name.misfit(misfits.of("name")).hint("a-z, 0-9, dots, dashes and underscores; the first is a letter."),
        role: role_field(&added.role).misfit(misfits.of("role")),
        password,
        repeat,
    };
    Ok(page(status, &users))
}

async fn add(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Form(added): Form<Added>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let name = misfits.parsed("name", UserName::typed(&added.name));
    let role = misfits.parsed("role", role_of(&added.role));
    same(&mut misfits, &added.password, &added.repeat);
    if let (Some(name), Some(role), true) = (name, role, misfits.is_empty()) {
        let (accounts, password) = (app.accounts.clone(), added.password.clone());
        let attempt = blocking(move || Ok::<_, ApiError>(accounts.add_user(&actor, name, role, password))).await?;
        if misfits.attempt("name", attempt)?.is_some() {
            return Ok(done("/users", "user-added"));
        }
    }
    shown(app, Frame::of("Users", &caller).at("/users"), &added, &misfits).await
}

/// The two fields of a new password, which are never written back.
pub(super) fn new_password(misfits: &Misfits) -> [Field; 2] {
    let hint = "At least 12 characters; several words are easy to remember.";
    let password = Field::password("password", "New password", "new-password").hint(hint);
    let repeat = Field::password("repeat", "New password, once more", "new-password");
    [password.misfit(misfits.of("password")), repeat.misfit(misfits.of("repeat"))]
}

/// What was typed twice, unseen, has to be the same.
pub(super) fn same(misfits: &mut Misfits, password: &str, repeat: &str) {
    if password != repeat {
        misfits.add("repeat", "this is not what stands in the field before");
    }
}

pub(super) fn role_field(chosen: &str) -> Field {
    let options = Role::GIVEN.map(|role| Choice::new(role.as_str(), format!("{}: {}", role.as_str(), may(role))));
    Field::choice("role", "Role", options.into()).value(chosen)
}

pub(super) fn role_of(text: &str) -> Result<Role, &'static str> {
    Role::GIVEN.into_iter().find(|role| role.as_str() == text).ok_or("choose viewer, operator or admin")
}

/// What a role may do, in words that follow on its name.
pub(super) fn may(role: Role) -> &'static str {
    match role {
        Role::Open => "sees nothing",
        Role::Viewer => "looks at everything but people and tokens",
        Role::Operator => "looks, acknowledges and resolves intents",
        Role::Admin => "does everything, also with people and tokens",
    }
}
