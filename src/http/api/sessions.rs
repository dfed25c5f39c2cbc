use axum::extract::State;
use axum::{Extension, Json};

use serde_json::json;

use super::me::owner;
use super::{blocking, examples};
use crate::app::App;
use crate::app::accounts::{SessionList, SessionRow};
use crate::domain::access::Actor;
use crate::domain::account::UserName;
use crate::domain::id::SessionId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::PathPart;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/sessions", Role::Viewer, list).doc(
            Doc::new("access", "List sessions").about("One's own; for an admin everybody's.").answer::<SessionList>(
                200,
                "The sessions that have not ended.",
                json!({ "sessions": [examples::session()], "next": null }),
            ),
        ),
        Route::delete("/api/sessions/{id}", Role::Viewer, revoke).doc(
            Doc::new("access", "End a session")
                .path::<SessionId>("id", "The session's number.", 3)
                .answer::<SessionRow>(200, "The session that has ended.", examples::session())
                .refuses(404, "There is no such session, or it is another's."),
        ),
    ]
}

/// Whose sessions a caller sees and ends: an admin everybody's, a user their own.
enum Reach {
    All,
    Of(UserName),
    None,
}

impl Reach {
    fn of(caller: &Caller) -> Self {
        match owner(caller) {
            _ if caller.role() >= Role::Admin => Self::All,
            Some(user) => Self::Of(user),
            None => Self::None,
        }
    }
}

async fn list(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Json<SessionList>, ApiError> {
    let sessions = blocking(move || match Reach::of(&caller) {
        Reach::All => app.accounts.sessions(None),
        Reach::Of(user) => app.accounts.sessions(Some(&user)),
        Reach::None => Ok(SessionList::default()),
    });
    Ok(Json(sessions.await?))
}

async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    PathPart(id): PathPart<SessionId>,
) -> Result<Json<SessionRow>, ApiError> {
    let ended = blocking(move || match Reach::of(&caller) {
        Reach::All => app.accounts.revoke_session(&actor, id, None).map_err(ApiError::from),
        Reach::Of(user) => app.accounts.revoke_session(&actor, id, Some(&user)).map_err(ApiError::from),
        Reach::None => Err(ApiError::NotFound(format!("there is no session {id}"))),
    });
    Ok(Json(ended.await?))
}
