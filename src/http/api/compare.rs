use axum::Json;
use axum::extract::{RawQuery, State};
use schemars::JsonSchema;

use super::blocking;
use super::examples::registry as examples;
use crate::app::App;
use crate::app::answers::registry::{CompareAnswer, VersionPair};
use crate::app::registry::MOST_COMPARED;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/compare", Role::Viewer, compare).doc(
            Doc::new("models", "Compare versions")
                .about(
                    "Two to four, of one model or of several: parameters, the figures of each one's newest evaluation with \
                     their intervals, provenance and tags. What differs comes first.",
                )
                .query::<CompareQuery>()
                .answer::<CompareAnswer>(200, "The versions, and what they are compared by.", examples::compared())
                .refuses(404, "There is no such version."),
        ),
    ]
}

/// Which versions.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape is what the description shows; the query is read by hand, as it repeats a key")]
struct CompareQuery {
    /// A version as `<model id>/<version>`; two to four times.
    #[schemars(length(min = 2, max = 4))]
    version: Vec<String>,
}

async fn compare(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<CompareAnswer>, ApiError> {
    let asked = asked(query.as_deref().unwrap_or_default())?;
    Ok(Json(blocking(move || CompareAnswer::find(&app.registry, &asked, now())).await?))
}

fn asked(query: &str) -> Result<Vec<VersionPair>, ApiError> {
    let misfit = |field: &str, why: String| ApiError::unfit("query", field, why);
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|error| misfit("", error.to_string()))?;
    let mut asked = Vec::new();
    for (name, value) in pairs {
        if name != "version" {
            let name: String = name.chars().take(64).collect();
            return Err(misfit(&name, format!("unknown field `{name}`, expected `version`")));
        }
        asked.push(value.parse().map_err(|error| misfit("version", format!("{error}")))?);
    }
    if !(2..=MOST_COMPARED).contains(&asked.len()) {
        return Err(misfit("version", format!("name 2 to {MOST_COMPARED} versions, each as MODEL/VERSION")));
    }
    Ok(asked)
}
