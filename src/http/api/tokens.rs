use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::blocking;
use crate::app::App;
use crate::app::accounts::{TokenList, TokenRow};
use crate::domain::access::{Actor, Grant};
use crate::domain::account::TokenName;
use crate::domain::id::TokenId;
use crate::http::error::ApiError;
use crate::http::extract::{Body, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/tokens", Role::Admin, list),
        Route::post("/api/tokens", Role::Admin, create),
        Route::delete("/api/tokens/{id}", Role::Admin, revoke),
    ]
}

async fn list(State(app): State<App>) -> Result<Json<TokenList>, ApiError> {
    Ok(Json(blocking(move || app.accounts.tokens()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: TokenName,
    grant: Grant,
    expires_in_days: Option<u32>,
}

/// The token with its text: the only answer that ever holds it.
#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    token: TokenRow,
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
