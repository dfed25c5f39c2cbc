use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;

use super::blocking;
use crate::app::App;
use crate::app::accounts::{SessionList, UserList, UserRow};
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::http::error::ApiError;
use crate::http::extract::{Body, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/users", Role::Admin, list),
        Route::post("/api/users", Role::Admin, add),
        Route::put("/api/users/{name}/password", Role::Admin, password),
        Route::put("/api/users/{name}/role", Role::Admin, role),
        Route::put("/api/users/{name}/disabled", Role::Admin, disabled),
        Route::delete("/api/users/{name}", Role::Admin, delete),
        Route::delete("/api/users/{name}/sessions", Role::Admin, end_sessions),
    ]
}

async fn list(State(app): State<App>) -> Result<Json<UserList>, ApiError> {
    Ok(Json(blocking(move || app.accounts.users()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: UserName,
    role: Role,
    password: String,
}

async fn add(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(NewUser { name, role, password }): Body<NewUser>,
) -> Result<(StatusCode, Json<UserRow>), ApiError> {
    let added = blocking(move || app.accounts.add_user(&actor, name, role, password)).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

async fn password(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<UserName>,
    Body(NewPassword { password }): Body<NewPassword>,
) -> Result<Json<UserRow>, ApiError> {
    Ok(Json(blocking(move || app.accounts.set_password(&actor, &name, password)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    role: Role,
}

async fn role(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<UserName>,
    Body(NewRole { role }): Body<NewRole>,
) -> Result<Json<UserRow>, ApiError> {
    Ok(Json(blocking(move || app.accounts.set_role(&actor, &name, role)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disabled {
    disabled: bool,
}

async fn disabled(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<UserName>,
    Body(Disabled { disabled }): Body<Disabled>,
) -> Result<Json<UserRow>, ApiError> {
    let changed = blocking(move || {
        if disabled { app.accounts.disable_user(&actor, &name) } else { app.accounts.enable_user(&actor, &name) }
    });
    Ok(Json(changed.await?))
}

async fn delete(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<UserName>,
) -> Result<Json<UserRow>, ApiError> {
    Ok(Json(blocking(move || app.accounts.delete_user(&actor, &name)).await?))
}

async fn end_sessions(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(name): PathPart<UserName>,
) -> Result<Json<SessionList>, ApiError> {
    Ok(Json(blocking(move || app.accounts.revoke_all(&actor, &name)).await?))
}
