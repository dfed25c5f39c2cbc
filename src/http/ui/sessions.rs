//! `/sessions`: where somebody is signed in. Everybody sees and ends their own, an admin everybody's.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::done::{Done, done};
use super::{Frame, page, show};
use crate::app::App;
use crate::app::accounts::SessionRow;
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::domain::id::SessionId;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Credential, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/sessions", Role::Viewer, list),
        Route::form("/sessions/{id}/end", Role::Viewer, end),
        Route::form("/sessions/end-others", Role::Viewer, end_others),
    ]
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct Sessions {
    frame: Frame,
    sessions: Vec<SessionRow>,
    /// The one that asks.
    this: Option<SessionId>,
    /// Whether they are everybody's.
    everybody: bool,
    /// Whether the caller has others than this one.
    others: bool,
}

/// The user behind a session, and the session. Programs and processes have none.
fn signed_in(caller: &Caller) -> Option<(UserName, SessionId)> {
    match caller.credential {
        Credential::Session { id, .. } => Some((caller.name.parse().ok()?, id)),
        _ => None,
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Done>,
) -> Result<Response, ApiError> {
    let everybody = caller.role() >= Role::Admin;
    let own = signed_in(&caller);
    let (user, this) = own.unzip();
    let asked = user.clone();
    let mut sessions = blocking(move || match asked {
        _ if everybody => app.accounts.sessions(None),
        Some(user) => app.accounts.sessions(Some(&user)),
        None => Ok(crate::app::accounts::SessionList::default()),
    })
    .await?
    .sessions;
    sessions.sort_by_key(|session| std::cmp::Reverse((Some(session.id) == this, session.last_seen)));
    let others = sessions.iter().any(|session| Some(&session.user) == user.as_ref() && Some(session.id) != this);
    let frame = query.onto(Frame::of("Sessions", &caller).at("/sessions"));
    Ok(page(StatusCode::OK, &Sessions { frame, sessions, this, everybody, others }))
}

async fn end(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(id): PathPart<SessionId>,
) -> Result<Response, ApiError> {
    let user = signed_in(&caller).map(|(user, _)| user);
    blocking(move || match user {
        _ if caller.role() >= Role::Admin => app.accounts.revoke_session(&actor, id, None).map_err(ApiError::from),
        Some(user) => app.accounts.revoke_session(&actor, id, Some(&user)).map_err(ApiError::from),
        None => Err(ApiError::NotFound(format!("there is no session {id}"))),
    })
    .await?;
    Ok(done("/sessions", "session-ended"))
}

async fn end_others(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    let (user, this) = signed_in(&caller)
        .ok_or_else(|| ApiError::Conflict("only somebody who is signed in has other sessions".to_owned()))?;
    blocking(move || app.accounts.revoke_others(&actor, &user, this)).await?;
    Ok(done("/sessions", "others-ended"))
}
