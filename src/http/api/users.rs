use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::accounts::{SessionList, UserList, UserRow};
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/users", Role::Admin, list).doc(Doc::new("access", "List users").answer::<UserList>(
            200,
            "Every user, by name.",
            json!({ "users": [examples::user()], "next": null }),
        )),
        Route::post("/api/users", Role::Admin, add).doc(
            Doc::new("access", "Add a user")
                .body::<NewUser>(json!({ "name": "alice", "role": "operator", "password": "correct horse battery" }))
                .answer::<UserRow>(201, "The user.", examples::user())
                .refuses(409, "There is a user of this name already."),
        ),
        Route::put("/api/users/{name}/password", Role::Admin, password).doc(
            one("Set a user's password")
                .about("Ends every session of theirs.")
                .body::<NewPassword>(json!({ "password": "correct horse battery" }))
                .answer::<UserRow>(200, "The user.", examples::user()),
        ),
        Route::put("/api/users/{name}/role", Role::Admin, role).doc(
            one("Set a user's role")
                .body::<NewRole>(json!({ "role": "operator" }))
                .answer::<UserRow>(200, "The user.", examples::user())
                .refuses(409, "They are the last admin."),
        ),
        Route::put("/api/users/{name}/disabled", Role::Admin, disabled).doc(
            one("Disable or enable a user")
                .about("Disabling ends every session of theirs.")
                .body::<Disabled>(json!({ "disabled": false }))
                .answer::<UserRow>(200, "The user.", examples::user())
                .refuses(409, "They are the last admin."),
        ),
        Route::delete("/api/users/{name}", Role::Admin, delete).doc(
            one("Delete a user")
                .answer::<UserRow>(200, "The user that was.", examples::user())
                .refuses(409, "They are the last admin."),
        ),
        Route::delete("/api/users/{name}/sessions", Role::Admin, end_sessions).doc(
            one("End every session of a user").answer::<SessionList>(
                200,
                "The sessions that have ended.",
                json!({ "sessions": [examples::session()], "next": null }),
            ),
        ),
    ]
}

fn one(summary: &'static str) -> Doc {
    Doc::new("access", summary)
        .path::<UserName>("name", "The user's name.", "alice")
        .refuses(404, "There is no such user.")
}

async fn list(State(app): State<App>) -> Result<Json<UserList>, ApiError> {
    Ok(Json(blocking(move || app.accounts.users()).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: UserName,
    role: Role,
    /// 12 to 128 characters.
    #[schemars(length(min = 12, max = 128))]
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

/// The password from now on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 12 to 128 characters.
    #[schemars(length(min = 12, max = 128))]
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

#[derive(Deserialize, JsonSchema)]
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

#[derive(Deserialize, JsonSchema)]
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
