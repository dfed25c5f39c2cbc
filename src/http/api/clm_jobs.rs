//! The predecessor's calls about training jobs (SPEC §4.6). Programs depend on them as they are.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::examples::jobs as examples;
use super::jobs::json_text;
use super::models::ask;
use super::{blocking, examples::jobs::JOB};
use crate::app::App;
use crate::app::answers::jobs::{ClmJobDetail, ClmJobs, ClmJobsQuery, ClmTrain};
use crate::app::jobs::{Asked, JobError, Subject};
use crate::domain::access::Actor;
use crate::domain::job::{Job, JobId, Priority};
use crate::domain::model::{ModelName, ModelType};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::post("/clm/train", Role::Operator, train).doc(
            Doc::new("clm", "Train a model")
                .about(
                    "The model is that of the type, the symbol (of several where none is said) and the timeframe. While a \
                     training of it is not over, another one is refused with 409, and the detail names the job that is open: \
                     it is what was asked for. `POST /api/jobs` takes more.",
                )
                .once()
                .body::<Train>(json!({
                    "model_type": "xgboost", "symbol": "BTCUSDT", "timeframe": "1h", "dataset_span_days": 90,
                    "training_params": { "max_depth": 6, "eta": 0.1 },
                }))
                .answer::<ClmTrain>(200, "It is in the queue.", examples::clm_train())
                .refuses(409, "A training of that model is not over.")
                .refuses(429, "As many jobs wait as may."),
        ),
        Route::get("/clm/jobs", Role::Viewer, list).doc(
            Doc::new("clm", "List training jobs, the newest first").query::<ClmJobsQuery>().answer::<ClmJobs>(
                200,
                "Jobs; `total` is the length of this list.",
                json!({ "jobs": [examples::clm_job()], "total": 1 }),
            ),
        ),
        Route::get("/clm/jobs/{id}", Role::Viewer, show).doc(
            Doc::new("clm", "One training job")
                .path::<String>("id", "The job's id.", JOB)
                .answer::<ClmJobDetail>(200, "The whole job.", examples::clm_job_detail())
                .refuses(404, "There is no such job."),
        ),
    ]
}

/// A training, as the predecessor took it.
#[derive(Deserialize, JsonSchema)]
struct Train {
    model_type: ModelType,
    /// `BTCUSDT`; a model of several where nothing is said.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9]+$"))]
    symbol: Option<String>,
    /// `1h`, `15m`, ….
    #[serde(default = "timeframe")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9]+$"))]
    timeframe: String,
    /// Days of data.
    #[serde(default = "span_days")]
    #[schemars(range(min = 1, max = 36_500))]
    dataset_span_days: u32,
    /// Parameters for the program: at most 64 KiB.
    training_params: Option<Map<String, Value>>,
}

pub(super) fn timeframe() -> String {
    Asked::TIMEFRAME.to_owned()
}

pub(super) fn span_days() -> u32 {
    Asked::SPAN_DAYS
}

async fn train(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    Body(body): Body<Train>,
) -> Result<Json<ClmTrain>, ApiError> {
    let name = ModelName::new(body.model_type, body.symbol.as_deref(), &body.timeframe, None)
        .map_err(|error| ApiError::unfit("body", "", error.to_string()))?;
    let asked = Asked {
        subject: Subject::Name(name),
        span_days: body.dataset_span_days,
        params: json_text(body.training_params),
        feature_config: None,
        parent: None,
        candidate: None,
        priority: Priority::Normal,
        why: String::new(),
    };
    let ask = ask(&caller, actor, key, None);
    let job = blocking(move || app.jobs.create(&ask, app.jobs.manual(asked)?)).await?;
    ClmTrain::of(&job).map(Json).ok_or_else(|| ApiError::internal("a training that trains nothing"))
}

async fn list(State(app): State<App>, Params(query): Params<ClmJobsQuery>) -> Result<Json<ClmJobs>, ApiError> {
    Ok(Json(blocking(move || ClmJobs::find(&app.store, &query)).await?))
}

/// What is no id is one that is not there: the predecessor's were of another kind.
async fn show(State(app): State<App>, PathPart(id): PathPart<String>) -> Result<Json<ClmJobDetail>, ApiError> {
    let none = || {
        let shown: String = id.chars().take(64).collect();
        ApiError::NotFound(format!("there is no training job {shown}"))
    };
    let number: JobId = id.parse().map_err(|_| none())?;
    let job: Option<Job> = blocking(move || match app.jobs.get(number) {
        Err(JobError::NoJob(_)) => Ok(None),
        found => found.map(Some),
    })
    .await?;
    job.as_ref().and_then(ClmJobDetail::of).map(Json).ok_or_else(none)
}
