use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::blocking;
use crate::app::App;
use crate::app::accounts::UserRow;
use crate::domain::access::{Actor, Grant};
use crate::domain::account::UserName;
use crate::domain::id::{SessionId, TokenId};
use crate::http::error::ApiError;
use crate::http::extract::Body;
use crate::http::peer::{Caller, Credential, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/api/me", Role::Viewer, show), Route::put("/api/me/password", Role::Viewer, password)]
}

/// Who asks, and as what.
#[derive(Serialize)]
struct Me {
    name: String,
    grant: Grant,
    credential: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenId>,
    /// What a script of a page sends as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
}

async fn show(Extension(caller): Extension<Caller>) -> Json<Me> {
    let (credential, session, token, csrf) = match caller.credential {
        Credential::None => ("none", None, None, None),
        Credential::Socket => ("socket", None, None, None),
        Credential::Session { id, csrf } => ("session", Some(id), None, Some(csrf)),
        Credential::Token(id) => ("token", None, Some(id), None),
    };
    Json(Me { name: caller.name, grant: caller.grant, credential, session, token, csrf })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    present: String,
    password: String,
}

/// Ends every session of the caller's, also the one that asks.
async fn password(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Body(NewPassword { present, password }): Body<NewPassword>,
) -> Result<Json<UserRow>, ApiError> {
    let name = owner(&caller).ok_or_else(|| ApiError::Refused("only who is signed in has a password".to_owned()))?;
    let changed = blocking(move || app.accounts.change_own_password(&actor, &name, &present, password));
    Ok(Json(changed.await?))
}

/// The user behind a session; tokens and processes are none, whatever they are called.
pub(super) fn owner(caller: &Caller) -> Option<UserName> {
    match caller.credential {
        Credential::Session { .. } => caller.name.parse().ok(),
        _ => None,
    }
}
