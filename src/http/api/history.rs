use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::blocking;
use super::examples::registry as examples;
use super::models::one;
use crate::app::App;
use crate::app::answers::registry::{AtQuery, HistoryPage, ReignAnswer, ReignList};
use crate::app::registry::{HistoryQuery, RegistryError};
use crate::domain::model::ModelId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/models/{id}/history", Role::Viewer, list).doc(
            one("What happened to a model").query::<HistoryQuery>().answer::<HistoryPage>(
                200,
                "A page of entries, the newest first.",
                json!({ "history": [examples::step()], "next": "17" }),
            ),
        ),
        Route::get("/api/models/{id}/production", Role::Viewer, of_model).doc(
            one("What was in production of a model, and when").query::<AtQuery>().answer::<ReignAnswer>(
                200,
                "What was in production at that instant.",
                examples::reign(),
            ),
        ),
        Route::get("/api/production", Role::Viewer, of_all).doc(
            Doc::new("models", "What was in production of every model").query::<AtQuery>().answer::<ReignList>(
                200,
                "The models that there were at that instant.",
                json!({ "at": "2026-01-19T00:00:00.000Z", "production": [examples::reign()] }),
            ),
        ),
    ]
}

async fn list(
    State(app): State<App>,
    PathPart(id): PathPart<ModelId>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<HistoryPage>, ApiError> {
    let unknown = RegistryError::NoModel(id.clone());
    let page = blocking(move || HistoryPage::find(&app.registry, &id, &query)).await?;
    Ok(Json(page.ok_or(unknown)?))
}

async fn of_model(
    State(app): State<App>,
    PathPart(id): PathPart<ModelId>,
    Params(query): Params<AtQuery>,
) -> Result<Json<ReignAnswer>, ApiError> {
    let at = query.at.unwrap_or_else(now);
    let asked = id.clone();
    let list = blocking(move || ReignList::find(&app.registry, Some(&asked), at)).await?;
    Ok(Json(list.production.into_iter().next().ok_or(RegistryError::NoModel(id))?))
}

async fn of_all(State(app): State<App>, Params(query): Params<AtQuery>) -> Result<Json<ReignList>, ApiError> {
    let at = query.at.unwrap_or_else(now);
    Ok(Json(blocking(move || ReignList::find(&app.registry, None, at)).await?))
}
