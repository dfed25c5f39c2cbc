use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{blocking, examples};
use crate::app::App;
use crate::app::accounts::{TokenList, TokenRow};
use crate::domain::access::{Actor, Grant};
use crate::domain::account::TokenName;
use crate::domain::id::TokenId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/tokens", Role::Admin, list).doc(Doc::new("access", "List tokens").answer::<TokenList>(
            200,
            "The tokens that were not revoked.",
            json!({ "tokens": [examples::token()], "next": null }),
        )),
        Route::post("/api/tokens", Role::Admin, create).doc(
            Doc::new("access", "Create a token")
                .about("Its text is in this answer and nowhere else.")
                .body::<Wanted>(json!({ "name": "execution", "grant": "publish", "expires_in_days": 90 }))
                .answer::<Created>(201, "The token and its text.", examples::created_token())
                .refuses(409, "There is a token of this name already."),
        ),
        Route::delete("/api/tokens/{id}", Role::Admin, revoke).doc(
            Doc::new("access", "Revoke a token")
                .path::<TokenId>("id", "The token's number.", 2)
                .answer::<TokenRow>(200, "The token that is valid no longer.", examples::token())
                .refuses(404, "There is no such token."),
        ),
    ]
}

async fn list(State(app): State<App>) -> Result<Json<TokenList>, ApiError> {
    Ok(Json(blocking(move || app.accounts.tokens()).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What it is called.
    name: TokenName,
    /// What it allows.
    grant: Grant,
    /// Its lifetime; where nothing is said, the longest that is configured.
    #[schemars(range(min = 1))]
    expires_in_days: Option<u32>,
}

/// The token with its text: the only answer that ever holds it.
#[derive(Serialize, JsonSchema)]
struct Created {
    #[serde(flatten)]
    token: TokenRow,
    /// What a program sends as its `Authorization: Bearer …`.
    text: String,
}

async fn create(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Body(Wanted { name, grant, expires_in_days }): Body<Wanted>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let lifetime = expires_in_days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
    let new = blocking(move || app.accounts.create_token(&actor, name, grant, lifetime)).await?;
    Ok((StatusCode::CREATED, Json(Created { token: new.row, text: new.text.expose().to_owned() })))
}

async fn revoke(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    PathPart(id): PathPart<TokenId>,
) -> Result<Json<TokenRow>, ApiError> {
    Ok(Json(blocking(move || app.accounts.revoke_token(&actor, id)).await?))
}
