//! The predecessor's calls about models (SPEC §4.6). Programs depend on them as they are: what they send besides is
//! passed over as it always was, and what was refused in words with 400 still is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::artifacts::READING;
use super::models::ask;
use super::{blocking, examples::registry as examples};
use crate::app::App;
use crate::app::answers::registry::{ClmModels, ClmModelsQuery, ClmScheduler, ClmStatus};
use crate::app::registry::{Promoted, RegistryError, Target};
use crate::domain::access::Actor;
use crate::domain::model::{ModelId, VersionName};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, IfMatch, Key, Params};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/clm/status", Role::Viewer, status).doc(
            Doc::new("clm", "Figures of the learning side").answer::<ClmStatus>(
                200,
                "Models, jobs, scheduler, evolution.",
                examples::clm_status(),
            ),
        ),
        Route::get("/clm/models", Role::Viewer, models).doc(
            Doc::new("clm", "List versions, the newest first").query::<ClmModelsQuery>().answer::<ClmModels>(
                200,
                "Versions; `total` is the length of this list.",
                json!({ "models": [examples::clm_model()], "total": 1 }),
            ),
        ),
        Route::post("/clm/promote", Role::Operator, promote).answers_within(READING).doc(
            Doc::new("clm", "Put a version into production")
                .about(
                    "Through its gates, or past them with `force`, which asks for an admin and a reason of 20 characters. \
                     `promoted_by` is taken and passed over: the credential says who it was, and the answer says so.",
                )
                .once()
                .if_unchanged()
                .body::<Promote>(examples::clm_promote())
                .answer::<PromoteAnswer>(200, "It is in production.", examples::clm_promoted())
                .answer::<PromoteAnswer>(202, "It waits for a second person.", {
                    let mut waits = examples::clm_promoted();
                    (waits["success"], waits["status"]) = (json!(false), json!("waiting_for_approval"));
                    waits
                })
                .refuses(400, "The gates are closed, there is no such version, or it cannot be promoted."),
        ),
        Route::post("/clm/rollback", Role::Operator, roll_back).doc(
            Doc::new("clm", "Put a version back into production")
                .about(
                    "Only to what is retired or, without effect, to what is in production. `rollback_by` is taken and passed \
                     over: the credential says who it was.",
                )
                .once()
                .if_unchanged()
                .body::<Rollback>(examples::clm_rollback())
                .answer::<RollbackAnswer>(200, "It is in production.", examples::clm_rolled_back())
                .refuses(400, "There is no such version, or it was never in production."),
        ),
    ]
}

async fn status(State(app): State<App>) -> Result<Json<ClmStatus>, ApiError> {
    let look = move || {
        let scheduler = ClmScheduler::read(&app.schedule, now())?;
        Ok::<_, ApiError>(ClmStatus { scheduler, ..ClmStatus::read(&app.registry, &app.store)? })
    };
    Ok(Json(blocking(look).await?))
}

async fn models(State(app): State<App>, Params(query): Params<ClmModelsQuery>) -> Result<Json<ClmModels>, ApiError> {
    Ok(Json(blocking(move || ClmModels::find(&app.registry, &query)).await?))
}

/// A promotion, as the predecessor took it.
#[derive(Deserialize, JsonSchema)]
struct Promote {
    model_id: ModelId,
    version: VersionName,
    /// Taken and passed over.
    #[serde(rename = "promoted_by")]
    _promoted_by: String,
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    reason: String,
    /// Past the gates.
    #[serde(default)]
    force: bool,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
struct PromoteAnswer {
    success: bool,
    model_id: ModelId,
    version: VersionName,
    /// `promoted`, or `waiting_for_approval` where a second person has to agree.
    status: &'static str,
    /// Who it was, by their credential.
    promoted_by: String,
}

async fn promote(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(body): Body<Promote>,
) -> Result<(StatusCode, Json<PromoteAnswer>), ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let by = ask.actor.name.clone();
    let step = move || app.registry.promote(&ask, &body.model_id, &body.version, &body.reason, body.force);
    let (success, model_id, version) = match blocking(move || step().map_err(InWords)).await? {
        Promoted::Done { model, version, .. } => (true, model, version),
        Promoted::Waiting { model, version, .. } => (false, model, version),
    };
    let (code, status) = match success {
        true => (StatusCode::OK, "promoted"),
        false => (StatusCode::ACCEPTED, "waiting_for_approval"),
    };
    Ok((code, Json(PromoteAnswer { success, model_id, version, status, promoted_by: by })))
}

/// A rollback, as the predecessor took it.
#[derive(Deserialize, JsonSchema)]
struct Rollback {
    model_id: ModelId,
    target_version: VersionName,
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    reason: String,
    /// Taken and passed over.
    #[serde(rename = "rollback_by")]
    _rollback_by: String,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
struct RollbackAnswer {
    success: bool,
    model_id: ModelId,
    version: VersionName,
    /// `rolled_back`.
    status: &'static str,
    /// Who it was, by their credential.
    rollback_by: String,
    reason: String,
}

async fn roll_back(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    IfMatch(expected): IfMatch,
    Body(body): Body<Rollback>,
) -> Result<Json<RollbackAnswer>, ApiError> {
    let ask = ask(&caller, actor, key, expected);
    let rollback_by = ask.actor.name.clone();
    let Rollback { model_id, target_version, reason, .. } = body;
    let why = reason.clone();
    let step = move || app.registry.roll_back(&ask, &model_id, &Target::Version(target_version), &why);
    let done = blocking(move || step().map_err(InWords)).await?;
    Ok(Json(RollbackAnswer {
        success: true,
        model_id: done.model,
        version: done.version,
        status: "rolled_back",
        rollback_by,
        reason,
    }))
}

/// What the predecessor answered with 400, whatever was in the way. What it did not know keeps its own status: who may
/// not, who has seen something else, and what is no fault of the caller's.
struct InWords(RegistryError);

impl From<InWords> for ApiError {
    fn from(InWords(error): InWords) -> Self {
        use RegistryError::{Bad, Conflict, Deleted, NoModel, NoVersion, NoWay};
        match error {
            // Its field is called otherwise here, and the sentence says it all.
            Bad { why, .. } => Self::Refused(why),
            NoModel(_) | NoVersion(..) | Deleted(_) | NoWay(_) | Conflict(_) => Self::Refused(error.to_string()),
            other => other.into(),
        }
    }
}
