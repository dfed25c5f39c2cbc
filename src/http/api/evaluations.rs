use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde_json::json;

use super::blocking;
use super::examples::registry as examples;
use super::models::{Tagged, ask, tagged};
use super::versions::version;
use crate::app::App;
use crate::app::answers::registry::{EvaluationDetail, EvaluationPage, GatesAnswer, JudgedAnswer};
use crate::app::registry::HistoryQuery;
use crate::domain::access::{Actor, Scope};
use crate::domain::model::{EvaluationId, ModelId, VersionName};
use crate::domain::performance::EvaluationInput;
use crate::http::error::ApiError;
use crate::http::extract::{Body, IfMatch, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

/// The largest evaluation: some 600,000 trades, or the returns of a hundred years.
const EVALUATION_BYTES: usize = 32 << 20;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::post("/api/models/{id}/versions/{version}/evaluations", Role::Operator, record)
            .also(Scope::Worker)
            .body_bytes(EVALUATION_BYTES)
            .too_large(": send `returns` of days or hours instead of trades")
            .doc(
                version("Record an evaluation")
                    .about(
                        "With returns or trades, every figure is computed here; figures that are merely reported open the plain \
                         gates and no others. At most 32 MiB and a million trades, values or predictions. A version moves on to \
                         shadow, and from there to candidate, as its gates let it; recording never makes it fail.",
                    )
                    .once()
                    .if_unchanged()
                    .body::<EvaluationInput>(examples::new_evaluation())
                    .answer::<JudgedAnswer>(201, "It is recorded; what the gates say now.", examples::judged()),
            ),
        Route::get("/api/models/{id}/versions/{version}/evaluations", Role::Viewer, list).doc(
            version("List a version's evaluations").query::<HistoryQuery>().answer::<EvaluationPage>(
                200,
                "A page of evaluations, the newest first.",
                json!({ "evaluations": [examples::evaluation()], "next": null }),
            ),
        ),
        Route::get("/api/models/{id}/versions/{version}/evaluations/{number}", Role::Viewer, show).doc(
            version("One evaluation with its returns")
                .path::<EvaluationId>("number", "The evaluation's number.", 41)
                .answer::<EvaluationDetail>(200, "The evaluation.", examples::evaluation_detail()),
        ),
        Route::get("/api/models/{id}/versions/{version}/gates", Role::Viewer, gates).doc(
            version("What the gates say of a version now")
                .about("On the way to shadow, candidate and production: value, threshold, margin, and how long to wait.")
                .answer::<GatesAnswer>(200, "A verdict a goal.", examples::gates()),
        ),
        Route::post("/api/models/{id}/versions/{version}/gates", Role::Operator, apply).also(Scope::Worker).doc(
            version("Apply the gates")
                .about(
                    "Moves the version on as far as they let it. One in training that fails a plain gate becomes failed; too \
                     little data is no failure.",
                )
                .once()
                .if_unchanged()
                .answer::<JudgedAnswer>(200, "What they made of it.", examples::applied()),
        ),
    ]
}

async fn record(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(input): Body<EvaluationInput>,
) -> Result<(StatusCode, Tagged<JudgedAnswer>), ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let judged = blocking(move || app.registry.evaluate(&ask, &model, &name, &input)).await?;
    let answer = JudgedAnswer::from(judged);
    Ok((StatusCode::CREATED, tagged(&answer.revision.clone(), answer)?))
}

async fn list(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<EvaluationPage>, ApiError> {
    Ok(Json(blocking(move || EvaluationPage::find(&app.registry, &model, &name, &query)).await??))
}

async fn show(
    State(app): State<App>,
    PathPart((model, name, number)): PathPart<(ModelId, VersionName, EvaluationId)>,
) -> Result<Json<EvaluationDetail>, ApiError> {
    Ok(Json(blocking(move || EvaluationDetail::find(&app.registry, &model, &name, number)).await?))
}

async fn gates(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
) -> Result<Tagged<GatesAnswer>, ApiError> {
    let answer = blocking(move || GatesAnswer::find(&app.registry, &model, &name, now())).await?;
    tagged(&answer.revision.clone(), answer)
}

async fn apply(
    State(app): State<App>,
    PathPart((model, name)): PathPart<(ModelId, VersionName)>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
) -> Result<Tagged<JudgedAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let answer = JudgedAnswer::from(blocking(move || app.registry.apply_gates(&ask, &model, &name)).await?);
    tagged(&answer.revision.clone(), answer)
}
