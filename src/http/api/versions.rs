use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::blocking;
use super::examples::registry as examples;
use super::models::{Tagged, ask, one, tagged};
use crate::app::App;
use crate::app::answers::registry::{
    DeletedAnswer, MovedAnswer, RegisteredAnswer, VersionDetailAnswer, VersionPage, WindowAnswer,
};
use crate::app::registry::{NewVersion, VersionQuery};
use crate::domain::access::{Actor, Scope};
use crate::domain::model::{DataWindow, Importances, ModelId, ModelStatus, Origin, Provenance, VersionName};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, IfMatch, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/versions", Role::Viewer, list).doc(
            Doc::new("models", "List versions of all models").query::<VersionQuery>().answer::<VersionPage>(
                200,
                "A page of versions, the newest first.",
                json!({ "versions": [examples::version()], "next": null }),
            ),
        ),
        Route::post("/api/models/{id}/versions", Role::Operator, register).also(Scope::Worker).doc(
            one("Register a version")
                .about(
                    "The first version makes its model, whose id says what it is about. Without a name the version gets that \
                     of its second; a name is never given twice. Files come next: `PUT …/versions/{version}/artifacts/{path}`.",
                )
                .once()
                .if_unchanged()
                .body::<VersionBody>(examples::new_version())
                .answer::<RegisteredAnswer>(201, "It is registered, under this name.", examples::registered()),
        ),
        Route::get("/api/models/{id}/versions/{version}", Role::Viewer, show).doc(
            version("One version")
                .about("One that was deleted shows its tombstone: `deleted` says who, when and why.")
                .answer::<VersionDetailAnswer>(200, "The version.", examples::version_detail()),
        ),
        Route::delete("/api/models/{id}/versions/{version}", Role::Operator, delete).doc(
            version("Delete a version")
                .about("Only one that nothing refers to. A tombstone remains, and its evaluations go on counting as trials.")
                .once()
                .if_unchanged()
                .query::<Why>()
                .answer::<DeletedAnswer>(200, "It is deleted.", examples::deleted()),
        ),
        Route::post("/api/models/{id}/versions/{version}/status", Role::Operator, advance).also(Scope::Worker).doc(
            version("Move a version one step")
                .about(
                    "To `shadow` or `candidate`, where its gates let it, or to `failed`. A worker's token may only say that \
                     a version in training has failed. Into production leads `…/promote`.",
                )
                .once()
                .if_unchanged()
                .body::<Step>(json!({ "status": "shadow", "why": "the backtest is fine" }))
                .answer::<MovedAnswer>(200, "Where it stands now.", examples::moved())
                .refuses(400, "Its gates are closed; the detail says which, and why."),
        ),
    ]
}

/// An operation about one version.
pub(super) fn version(summary: &'static str) -> Doc {
    one(summary).path::<VersionName>("version", "The version's name.", examples::VERSION)
}

async fn list(State(app): State<App>, Params(query): Params<VersionQuery>) -> Result<Json<VersionPage>, ApiError> {
    Ok(Json(blocking(move || VersionPage::find(&app.registry, &query)).await?))
}

/// A version that is to be registered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct VersionBody {
    /// Its name; that of the present second where nothing is said.
    version: Option<VersionName>,
    /// The id of the training job that made it, here or in another program.
    #[schemars(length(min = 1, max = 256))]
    job: String,
    /// The data that it was trained on.
    data: WindowAnswer,
    /// Its parameters: at most 256, and 64 KiB.
    #[serde(default)]
    parameters: Map<String, Value>,
    /// Features that it reads.
    feature_count: u32,
    /// The revision of the code that trained it.
    #[schemars(length(min = 1, max = 256))]
    code_revision: Option<String>,
    /// The version that it was made from.
    parent: Option<VersionName>,
    /// Figures of its training.
    #[serde(default)]
    train_metrics: BTreeMap<String, f64>,
    /// Figures of its validation.
    #[serde(default)]
    validation_metrics: BTreeMap<String, f64>,
    /// What people want to find it by: at most 32.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// How much each feature counts: at most 10,000.
    #[serde(default)]
    feature_importances: BTreeMap<String, f64>,
    /// What the importances are: `mean |SHAP|`, `gain`.
    #[schemars(length(min = 1, max = 64))]
    importance_method: Option<String>,
    /// Whether its training came to an end; one whose training failed is registered as failed.
    #[serde(default = "yes")]
    success: bool,
}

fn yes() -> bool {
    true
}

impl From<VersionBody> for NewVersion {
    fn from(body: VersionBody) -> Self {
        Self {
            name: body.version,
            parent: body.parent,
            provenance: Provenance {
                origin: Origin::Job(body.job),
                data: Some(DataWindow { from: body.data.from, until: body.data.until }),
                parameters: body.parameters.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
                feature_count: Some(body.feature_count),
                code_revision: body.code_revision,
            },
            train_metrics: body.train_metrics,
            validation_metrics: body.validation_metrics,
            tags: body.tags,
            importances: Importances::new(body.importance_method, body.feature_importances),
            success: body.success,
        }
    }
}

type Created<T> = (StatusCode, [(HeaderName, HeaderValue); 2], Json<T>);

async fn register(
    State(app): State<App>,
    PathPart(id): PathPart<ModelId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(body): Body<VersionBody>,
) -> Result<Created<RegisteredAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let new = NewVersion::from(body);
    let done = blocking(move || app.registry.register(&ask, &id, &new)).await?;
    let answer = RegisteredAnswer::from(done);
    let place = format!("/api/models/{}/versions/{}", answer.model_id, answer.version);
    let place = HeaderValue::try_from(place).map_err(ApiError::internal)?;
    let ([tag], Json(answer)) = tagged(&answer.revision.clone(), answer)?;
    Ok((StatusCode::CREATED, [tag, (header::LOCATION, place)], Json(answer)))
}

async fn show(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
) -> Result<Tagged<VersionDetailAnswer>, ApiError> {
    let detail = blocking(move || VersionDetailAnswer::find(&app.registry, &model, &name, now())).await?;
    tagged(&detail.revision.clone(), detail)
}

/// Why, where a request has no body to say it in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// For those who come after; has to be said.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn delete(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Params(Why { why }): Params<Why>,
) -> Result<Tagged<DeletedAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let answer = DeletedAnswer::from(blocking(move || app.registry.delete(&ask, &model, &name, &why)).await?);
    tagged(&answer.revision.clone(), answer)
}

/// A step of a version.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Where to: `shadow`, `candidate` or `failed`.
    status: ModelStatus,
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn advance(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(Step { status, why }): Body<Step>,
) -> Result<Tagged<MovedAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let moved = blocking(move || app.registry.advance(&ask, &model, &name, status, &why)).await?;
    let answer = MovedAnswer::from(moved);
    tagged(&answer.revision.clone(), answer)
}
