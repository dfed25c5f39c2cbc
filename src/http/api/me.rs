use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::accounts::UserRow;
use crate::domain::access::{Actor, Grant};
use crate::domain::account::UserName;
use crate::domain::id::{SessionId, TokenId};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Body;
use crate::http::peer::{Caller, Credential, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/me", Role::Viewer, show).doc(Doc::new("access", "Who asks, and as what").answer::<Me>(
            200,
            "The caller.",
            json!({ "name": "token:execution", "grant": "viewer", "credential": "token", "token": 2 }),
        )),
        Route::put("/api/me/password", Role::Viewer, password).doc(
            Doc::new("access", "Change one's own password")
                .about("Only for who is signed in. Ends every session of theirs, also the one that asks.")
                .body::<OwnPassword>(json!({ "present": "correct horse battery", "password": "battery horse correct" }))
                .answer::<UserRow>(200, "The user.", examples::user())
                .refuses(400, "A token and a process have no password."),
        ),
    ]
}

/// Who asks, and as what.
#[derive(Serialize, JsonSchema)]
struct Me {
    /// A user, `token:<name>`, or a process's user.
    name: String,
    grant: Grant,
    /// `session`, `token` or `socket`.
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnPassword {
    /// The one that it was.
    present: String,
    /// 12 to 128 characters.
    #[schemars(length(min = 12, max = 128))]
    password: String,
}

/// Ends every session of the caller's, also the one that asks.
async fn password(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Body(OwnPassword { present, password }): Body<OwnPassword>,
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
