use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::blocking;
use super::clm_jobs::{span_days, timeframe};
use super::examples::jobs as examples;
use super::models::ask;
use crate::app::App;
use crate::app::answers::QueryError;
use crate::app::answers::jobs::{JobAnswer, JobDetail, JobPage, JobQuery, JobResults, WorkerList};
use crate::app::answers::query::filled;
use crate::app::files::{self, ManifestAnswer};
use crate::app::jobs::{Asked, JobError, Subject};
use crate::domain::access::Actor;
use crate::domain::job::{Job, JobId, JsonText, Priority, Program};
use crate::domain::model::{ModelId, ModelName, ModelType, VersionName};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/jobs", Role::Viewer, list).doc(
            Doc::new("jobs", "List jobs, the newest first").query::<JobQuery>().answer::<JobPage>(
                200,
                "A page of jobs; a pending one says what it waits for.",
                json!({ "jobs": [examples::job()], "next": null }),
            ),
        ),
        Route::post("/api/jobs", Role::Operator, create).doc(
            Doc::new("jobs", "Train a model")
                .about(
                    "The model is named by `model_id`, or by `model_type`, `symbol`, `timeframe` and `regime`; it is made with \
                     its first version. While a training of it is not over, another one is refused with 409, and the detail \
                     names the job that is open.",
                )
                .once()
                .body::<NewTraining>(examples::new_training())
                .answer::<JobAnswer>(201, "It is in the queue.", examples::pending())
                .refuses(409, "A training of that model is not over.")
                .refuses(429, "As many jobs wait as may."),
        ),
        Route::get("/api/jobs/{id}", Role::Viewer, show).doc(
            one("One job").about("With its steps, how often each was tried, and what came of it.").answer::<JobDetail>(
                200,
                "The job with everything that is known of it.",
                examples::job_detail(),
            ),
        ),
        Route::post("/api/jobs/{id}/cancel", Role::Operator, cancel).doc(
            one("Call a job off")
                .about(
                    "One that waits is cancelled at once. Of one that a worker has the processes are ended first: it is \
                     cancelled when they are known to be gone, and says until then that it is being called off.",
                )
                .body::<Cancellation>(json!({ "why": "the exchange changed its fees: the data is of no use" }))
                .answer::<JobAnswer>(200, "The job as it is now.", examples::cancelled())
                .refuses(409, "It is over."),
        ),
        Route::post("/api/jobs/{id}/retry", Role::Operator, retry).doc(
            one("Do a job again")
                .about(
                    "A new job, which takes over what was finished and goes on behind it. Only of what failed or was \
                     cancelled.",
                )
                .once()
                .answer::<JobAnswer>(201, "The new job.", examples::again())
                .refuses(409, "It is not over, or completed, or was done again, or a training of that model is not over.")
                .refuses(429, "As many jobs wait as may."),
        ),
        Route::get("/api/jobs/{id}/results", Role::Viewer, results).doc(
            one("What a job's programs answered")
                .about("Kept for 30 days at most; what counts of it is in the registry.")
                .query::<ResultsQuery>()
                .answer::<JobResults>(200, "Each program's `result.json`, by name.", examples::results()),
        ),
        Route::get("/api/jobs/{id}/artifacts", Role::Viewer, artifacts).doc(
            one("The files of a job's version")
                .about("They are the registry's: `/api/models/{id}/versions/{version}/artifacts/{path}` has them.")
                .answer::<ManifestAnswer>(200, "The manifest.", examples::manifest())
                .refuses(404, "There is no such job, or it has registered no version."),
        ),
        Route::get("/api/workers", Role::Viewer, workers).doc(
            Doc::new("jobs", "List workers")
                .about("Those that were heard of since the daemon started, with what they can run and what they have.")
                .answer::<WorkerList>(200, "By name.", json!({ "workers": [examples::worker()] })),
        ),
    ]
}

/// An operation about one job.
pub(super) fn one(summary: &'static str) -> Doc {
    Doc::new("jobs", summary).path::<JobId>("id", "The job's id.", examples::JOB).refuses(404, "There is no such job.")
}

async fn list(State(app): State<App>, Params(query): Params<JobQuery>) -> Result<Json<JobPage>, ApiError> {
    Ok(Json(blocking(move || JobPage::find(&app.jobs, &app.store, &query)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<JobId>) -> Result<Json<JobDetail>, ApiError> {
    Ok(Json(blocking(move || JobDetail::find(&app.jobs, &app.store, &app.registry, id, now())).await?))
}

/// A training that is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTraining {
    /// A model that is there, or the id of a new one.
    model_id: Option<ModelId>,
    /// Without `model_id`: what kind of program.
    model_type: Option<ModelType>,
    /// Without `model_id`: `BTCUSDT`; a model of several where nothing is said.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9]+$"))]
    symbol: Option<String>,
    /// Without `model_id`: `1h` where nothing is said.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9]+$"))]
    timeframe: Option<String>,
    /// Without `model_id`: the market's regime that the model is for.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9]+$"))]
    regime: Option<String>,
    /// Days of data.
    #[serde(default = "span_days")]
    #[schemars(range(min = 1, max = 36_500))]
    dataset_span_days: u32,
    /// Parameters for the program: at most 64 KiB.
    training_params: Option<Map<String, Value>>,
    /// Which features, in the program's terms: at most 64 KiB.
    feature_config: Option<Map<String, Value>>,
    /// The version that it goes on from.
    parent_version: Option<VersionName>,
    /// The candidate of the strategies' evolution that it tries.
    #[schemars(length(min = 1, max = 128))]
    strategy_candidate_id: Option<String>,
    /// What goes first.
    #[serde(default = "normal")]
    priority: Priority,
    /// Why, for those who come after.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    why: String,
}

fn normal() -> Priority {
    Priority::Normal
}

impl NewTraining {
    fn asked(self) -> Result<Asked, ApiError> {
        let subject = match (self.model_id, self.model_type) {
            (Some(id), None) if self.symbol.is_none() && self.timeframe.is_none() && self.regime.is_none() => {
                Subject::Model(id)
            }
            (Some(_), _) => {
                let why = "its id says what a model is about: leave out model_type, symbol, timeframe and regime";
                return Err(ApiError::unfit("body", "model_id", why));
            }
            (None, None) => return Err(ApiError::unfit("body", "model_type", "name a model_id, or a model_type")),
            (None, Some(kind)) => {
                let frame = self.timeframe.unwrap_or_else(timeframe);
                let name = ModelName::new(kind, self.symbol.as_deref(), &frame, self.regime.as_deref());
                Subject::Name(name.map_err(|error| ApiError::unfit("body", "", error.to_string()))?)
            }
        };
        Ok(Asked {
            subject,
            span_days: self.dataset_span_days,
            params: json_text(self.training_params),
            feature_config: json_text(self.feature_config),
            parent: self.parent_version,
            candidate: self.strategy_candidate_id,
            priority: self.priority,
            why: self.why,
        })
    }
}

/// An object, as jobs keep it.
pub(super) fn json_text(object: Option<Map<String, Value>>) -> Option<JsonText> {
    object.map(|object| JsonText::new(&Value::Object(object)))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    Body(body): Body<NewTraining>,
) -> Result<impl IntoResponse, ApiError> {
    let (asked, ask) = (body.asked()?, ask(&caller, actor, key, None));
    created(app, move |app| app.jobs.create(&ask, app.jobs.manual(asked)?)).await
}

async fn retry(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
) -> Result<impl IntoResponse, ApiError> {
    let ask = ask(&caller, actor, key, None);
    created(app, move |app| app.jobs.retry(&ask, id)).await
}

/// A new job, with where it is. What it waits for is not said here: an answer that is kept under a key has to be the same
/// the second time.
async fn created(
    app: App,
    make: impl FnOnce(&App) -> Result<Job, JobError> + Send + 'static,
) -> Result<impl IntoResponse, ApiError> {
    let job = blocking(move || make(&app)).await?;
    let place = HeaderValue::try_from(format!("/api/jobs/{}", job.id)).map_err(ApiError::internal)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(JobAnswer::of(&job, None))))
}

/// Why a job is called off.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    /// For those who come after.
    #[schemars(length(min = 1, max = 1000))]
    why: String,
}

async fn cancel(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Body(Cancellation { why }): Body<Cancellation>,
) -> Result<Json<JobAnswer>, ApiError> {
    let ask = ask(&caller, actor, None, None);
    let job = blocking(move || app.jobs.cancel(&ask, id, &why)).await?;
    Ok(Json(JobAnswer::of(&job, None)))
}

/// Whose answers.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct ResultsQuery {
    /// Only this program's.
    #[serde(deserialize_with = "filled")]
    program: Option<Program>,
}

async fn results(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Params(query): Params<ResultsQuery>,
) -> Result<Json<JobResults>, ApiError> {
    Ok(Json(blocking(move || JobResults::find(&app.jobs, id, query.program)).await?))
}

async fn artifacts(State(app): State<App>, PathPart(id): PathPart<JobId>) -> Result<Json<ManifestAnswer>, ApiError> {
    let look = move || {
        let job = app.jobs.get(id)?;
        let none = || ApiError::NotFound(format!("{id} has registered no version"));
        let version = job.version.ok_or_else(none)?;
        Ok::<_, ApiError>(files::manifest(&app.store, &job.model, &version)?)
    };
    Ok(Json(blocking(look).await?))
}

async fn workers(State(app): State<App>) -> Result<Json<WorkerList>, ApiError> {
    Ok(Json(blocking(move || WorkerList::find(&app.jobs, &app.store)).await?))
}

/// After how long it is worth asking for another job.
const FULL_SECONDS: u64 = 60;

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        let words = error.to_string();
        match error {
            JobError::NoJob(_) => Self::NotFound(words),
            JobError::Id(_) => Self::unfit("path", "id", words),
            JobError::Bad { field, why } => Self::unfit("body", &field, why),
            JobError::Refused(_)
            | JobError::Again { .. }
            | JobError::Open(_)
            | JobError::Name { .. }
            | JobError::KeyUsed => Self::Conflict(words),
            JobError::Full(_) => Self::TooMany { detail: words, seconds: FULL_SECONDS },
            JobError::Orchestration { .. } => Self::Unavailable(words),
            JobError::Json(_) => Self::internal(error),
            JobError::Query(error) => QueryError::into(error),
            JobError::Registry(error) => error.into(),
            JobError::Store(error) => error.into(),
        }
    }
}
