//! `/users/{name}`: one user, and everything that an admin can change about them.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::confirm::Confirm;
use super::done::{Done, done};
use super::field::Field;
use super::form::{Form, Misfits};
use super::users::{new_password, role_field, role_of, same};
use super::{Frame, page, show};
use crate::app::App;
use crate::app::accounts::{AccountError, Accounts, UserRow};
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::domain::role::Role;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Caller;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/users/{name}", Role::Admin, one),
        Route::form("/users/{name}/role", Role::Admin, set_role),
        Route::form("/users/{name}/password", Role::Admin, set_password),
        Route::form("/users/{name}/disable", Role::Admin, disable),
        Route::form("/users/{name}/enable", Role::Admin, enable),
        Route::page("/users/{name}/delete", Role::Admin, ask_delete),
        Route::form("/users/{name}/delete", Role::Admin, delete),
    ]
}

#[derive(Template)]
#[template(path = "user.html")]
struct OneUser {
    frame: Frame,
    user: UserRow,
    role: Field,
    password: Field,
    repeat: Field,
    /// What is wrong with what has no field: the last admin cannot be disabled.
    access: String,
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(name): PathPart<String>,
    Params(query): Params<Done>,
) -> Result<Response, ApiError> {
    let frame = query.onto(frame(&name, &caller));
    shown(app, frame, name, None, &Misfits::default()).await
}

fn frame(name: &str, caller: &Caller) -> Frame {
    Frame::of(format!("User {name}"), caller).at("/users")
}

/// The user's page; `role` is what was chosen and refused.
async fn shown(
    app: App,
    frame: Frame,
    name: String,
    role: Option<&str>,
    misfits: &Misfits,
) -> Result<Response, ApiError> {
    let user = find(&app, name).await?;
    let (status, frame) = misfits.frame(frame);
    let role = role_field(role.unwrap_or(user.role.as_str())).misfit(misfits.of("role"));
    let [password, repeat] = new_password(misfits);
    let access = misfits.of("access").to_owned();
    Ok(page(status, &OneUser { frame, user, role, password, repeat, access }))
}

async fn find(app: &App, name: String) -> Result<UserRow, ApiError> {
    let accounts = app.accounts.clone();
    let users = blocking(move || accounts.users()).await?.users;
    let found = users.into_iter().find(|user| user.name.as_str() == name);
    found.ok_or_else(|| ApiError::NotFound("there is no such user".to_owned()))
}

fn user_name(name: &str) -> Result<UserName, ApiError> {
    name.parse().map_err(|_| ApiError::NotFound("there is no such user".to_owned()))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewRole {
    role: String,
}

async fn set_role(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<String>,
    Form(sent): Form<NewRole>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    if let Some(role) = misfits.parsed("role", role_of(&sent.role)) {
        let change = move |accounts: &Accounts, actor: &Actor, user: &UserName| accounts.set_role(actor, user, role);
        if misfits.attempt("role", carry_out(&app, actor, &name, change).await?)?.is_some() {
            return Ok(done(&format!("/users/{name}"), "role-changed"));
        }
    }
    shown(app, frame(&name, &caller), name, Some(&sent.role), &misfits).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewPassword {
    password: String,
    repeat: String,
}

async fn set_password(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<String>,
    Form(sent): Form<NewPassword>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    same(&mut misfits, &sent.password, &sent.repeat);
    if misfits.is_empty() {
        let password = sent.password;
        let change = |accounts: &Accounts, actor: &Actor, user: &UserName| accounts.set_password(actor, user, password);
        if misfits.attempt("password", carry_out(&app, actor, &name, change).await?)?.is_some() {
            return Ok(done(&format!("/users/{name}"), "password-set"));
        }
    }
    shown(app, frame(&name, &caller), name, None, &misfits).await
}

async fn disable(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<String>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let attempt = carry_out(&app, actor, &name, Accounts::disable_user).await?;
    if misfits.attempt("access", attempt)?.is_some() {
        return Ok(done(&format!("/users/{name}"), "user-disabled"));
    }
    shown(app, frame(&name, &caller), name, None, &misfits).await
}

async fn enable(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<String>,
) -> Result<Response, ApiError> {
    carry_out(&app, actor, &name, Accounts::enable_user).await??;
    Ok(done(&format!("/users/{name}"), "user-enabled"))
}

async fn ask_delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(name): PathPart<String>,
) -> Result<Response, ApiError> {
    let user = find(&app, name).await?.name;
    Ok(Confirm {
        frame: Frame::of(format!("Delete {user}?"), &caller).at("/users"),
        question: format!(
            "{user} cannot sign in any more, and every session of {user} ends. Tokens that {user} made go on working. The \
             audit log keeps what {user} did."
        ),
        button: "Delete",
        action: format!("/users/{user}/delete"),
        back: format!("/users/{user}"),
    }
    .page())
}

async fn delete(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<String>,
) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let attempt = carry_out(&app, actor, &name, Accounts::delete_user).await?;
    if misfits.attempt("access", attempt)?.is_some() {
        return Ok(done("/users", "user-deleted"));
    }
    shown(app, frame(&name, &caller), name, None, &misfits).await
}

/// What came of a change of this user, tried on a thread that may block.
async fn carry_out<T: Send + 'static>(
    app: &App,
    actor: Actor,
    name: &str,
    change: impl FnOnce(&Accounts, &Actor, &UserName) -> Result<T, AccountError> + Send + 'static,
) -> Result<Result<T, AccountError>, ApiError> {
    let user = user_name(name)?;
    let accounts = app.accounts.clone();
    blocking(move || Ok::<_, ApiError>(change(&accounts, &actor, &user))).await
}
