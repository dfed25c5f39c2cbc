//! What workers say: jobs are leased, reported and sent here (`domain::job::work`).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::artifacts::{Bytes, READING, asking};
use super::{blocking, examples, uploads};
use crate::app::App;
use crate::app::files::{self, FileAnswer, FileError, NewFile};
use crate::app::jobs::JobError;
use crate::domain::access::{Actor, Scope};
use crate::domain::job::{
    Assignment, Beat, BeatAnswer, Continued, Job, JobId, LeaseRequest, LogAnswer, RefusalCode, Report, ReportAnswer,
};
use crate::domain::model::{ArtifactPath, Digest, VersionName};
use crate::http::doc::Doc;
use crate::http::download;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::http::upload::Upload;

/// A report holds a program's whole answer.
const REPORT_BYTES: usize = 20 << 20;

/// Values in it, all commas counted.
const REPORT_VALUES: usize = 1_500_000;

/// One report is read at a time.
static REPORTS: Semaphore = Semaphore::const_new(1);

/// What goes of a log at a time.
const LOG_BYTES: usize = 1 << 20;

const JOB: &str = "job-17";
const FILE: &str = "/api/work/jobs/{id}/artifacts/{*path}";
const REST: &str = "/api/work/jobs/{id}/uploads/{*path}";

pub(super) fn routes() -> Vec<Route<App>> {
    let stale = "The job is not this worker's under that lease, or not where this would fit: nothing has changed. Its \
                 processes are to be ended.";
    vec![
        Route::post("/api/work/lease", Role::Admin, lease).also(Scope::Worker).doc(
            Doc::new("work", "Ask for a job")
                .about(
                    "Waits for up to `wait_seconds` (at most 25) for one to come. A job that the worker had and that is not \
                     in `held` any more has no process: it is given back.",
                )
                .body::<LeaseRequest>(examples::work::lease())
                .answer::<Assignment>(200, "A job, with the first program to run.", examples::work::assignment())
                .done(204, "There is nothing to do.")
                .refuses(409, "Another worker of that name was heard of just now."),
        ),
        Route::post("/api/work/jobs/{id}/beat", Role::Admin, beat).also(Scope::Worker).doc(
            job("Say that the worker is at it")
                .body::<Beat>(examples::work::beat())
                .answer::<BeatAnswer>(
                    200,
                    "Whether it was called off, and how long the lease is.",
                    json!({ "cancelled": null, "lease_seconds": 60 }),
                )
                .refuses(409, stale),
        ),
        Route::post("/api/work/jobs/{id}/report", Role::Admin, report)
            .also(Scope::Worker)
            .body_bytes(REPORT_BYTES)
            .too_large(": put what is large into files of the version")
            .doc(
                job("Report the end of a program")
                    .about("None of its processes is left. The same report again is answered alike.")
                    .body::<Report>(examples::work::report())
                    .answer::<ReportAnswer>(200, "What comes next.", examples::work::upload())
                    .refuses(409, stale)
                    .refuses(413, "The report is larger than 20 MiB.")
                    .refuses(503, "What follows upon it cannot be done now: report it again."),
            ),
        Route::post("/api/work/jobs/{id}/continue", Role::Admin, go_on).also(Scope::Worker).doc(
            job("Ask what comes next")
                .about("After the files were sent, and after a worker's restart.")
                .body::<Continued>(json!({ "epoch": 2 }))
                .answer::<ReportAnswer>(
                    200,
                    "What comes next.",
                    json!({ "next": "run", "assignment": examples::work::assignment() }),
                )
                .refuses(409, stale)
                .refuses(503, "What follows cannot be done now: ask again."),
        ),
        Route::put(FILE, Role::Admin, send).also(Scope::Worker).uploads().doc(
            job("Send a file of the version that was trained")
                .path::<ArtifactPath>("path", "The file's path in the version.", "model.onnx")
                .query::<SendQuery>()
                .body_as::<Bytes>("application/octet-stream", "…")
                .answer::<FileAnswer>(201, "It was taken in.", examples::work::file())
                .answer::<FileAnswer>(200, "It was there already.", examples::work::file())
                .refuses(400, "The file is empty, or not what it was said to be, or broke off.")
                .refuses(408, "Nothing came for half a minute.")
                .refuses(409, "The job is not this worker's under that lease, or its training has not answered with this file.")
                .refuses(413, "It is larger than artifacts.max_file.")
                .refuses(503, "The disk is full, or too many uploads are under way."),
        ),
        Route::head(REST, Role::Admin, reached).also(Scope::Worker).doc(uploads::told(sent(
            "Ask how far a file of the version came",
        ))),
        Route::patch(REST, Role::Admin, go_on_sending).also(Scope::Worker).uploads().answers_within(READING).doc(
            uploads::appended(sent("Send the rest of a file of the version")),
        ),
        Route::get(FILE, Role::Admin, fetch).also(Scope::Worker).doc(
            job("One file of the version, for an evaluation")
                .path::<ArtifactPath>("path", "The file's path in the version.", "model.onnx")
                .query::<LeaseQuery>()
                .answer_as::<Bytes>(200, "The file.", "application/octet-stream", "…")
                .answer_as::<Bytes>(206, "The part of it that `Range` asks for.", "application/octet-stream", "…")
                .done(304, "The worker has it.")
                .refuses(409, stale)
                .refuses(416, "There is nothing of that range.")
                .refuses(503, "Its content is missing or damaged, or too many downloads are under way."),
        ),
        Route::post("/api/work/jobs/{id}/log", Role::Admin, log).also(Scope::Worker).body_bytes(LOG_BYTES).doc(
            job("Send a piece of the log")
                .about(
                    "Whole lines that stand at `offset` of the worker's log. What is there already is left as it is, so a \
                     piece can be sent twice; an empty one asks how far the log is here.",
                )
                .query::<LogQuery>()
                .body_as::<String>("application/octet-stream", "2026-01-17T03:46:06.500Z out fold 3 of 5\n")
                .answer::<LogAnswer>(200, "How far the log is here now.", json!({ "next": 41 }))
                .refuses(409, stale)
                .refuses(503, "It cannot be kept now."),
        ),
    ]
}

fn job(summary: &'static str) -> Doc {
    Doc::new("work", summary).path::<JobId>("id", "The job.", JOB).refuses(404, "There is no such job.")
}

fn sent(summary: &'static str) -> Doc {
    job(summary).path::<ArtifactPath>("path", "The file's path in the version.", "model.onnx").query::<SendQuery>()
}

/// Under which lease.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LeaseQuery {
    /// The lease.
    epoch: u64,
}

/// What a file is announced as.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SendQuery {
    /// The lease.
    epoch: u64,
    /// The SHA-256 that the file has. Anything else is not kept.
    sha256: Digest,
}

/// Which piece of the log.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    /// The lease.
    epoch: u64,
    /// Where it stands in the worker's log, in bytes.
    offset: u64,
}

async fn lease(State(app): State<App>, Body(request): Body<LeaseRequest>) -> Result<Response, ApiError> {
    check(&request)?;
    Ok(match app.jobs.lease_or_wait(request).await? {
        Some(assignment) => Json(assignment).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// A worker's name and host stand in logs and on pages.
fn check(request: &LeaseRequest) -> Result<(), ApiError> {
    for (field, text) in
        [("worker", &request.worker), ("instance", &request.instance), ("host", &request.host), ("boot", &request.boot)]
    {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=255).contains(&text.len()) || !text.chars().all(fits) {
            return Err(ApiError::unfit("body", field, "must have 1 to 255 of A-Z a-z 0-9 . _ -"));
        }
    }
    if request.held.len() > 1_000 {
        return Err(ApiError::unfit("body", "held", "must have at most 1000 jobs"));
    }
    if request.programs.values().any(|programs| programs.len() > 16) {
        return Err(ApiError::unfit("body", "programs", "names a program more than once"));
    }
    Ok(())
}

/// Why a worker is refused.
enum WorkError {
    /// Its job is not its any more.
    Stale(ApiError),
    /// Anything else.
    Other(ApiError),
}

impl From<JobError> for WorkError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::NoJob(_) | JobError::Refused(_) => Self::Stale(error.into()),
            error => Self::Other(error.into()),
        }
    }
}

impl From<ApiError> for WorkError {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl From<FileError> for WorkError {
    fn from(error: FileError) -> Self {
        Self::Other(error.into())
    }
}

impl IntoResponse for WorkError {
    fn into_response(self) -> Response {
        match self {
            Self::Stale(error) => error.answer(Some(RefusalCode::Stale)),
            Self::Other(error) => {
                let is_told = matches!(error.status(), StatusCode::NOT_FOUND | StatusCode::CONFLICT);
                error.answer(is_told.then_some(RefusalCode::Refused))
            }
        }
    }
}

/// [`blocking`] for what is said of a job that the worker has.
async fn of_its_job<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, WorkError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?.map_err(WorkError::from)
}

async fn beat(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Body(beat): Body<Beat>,
) -> Result<Json<BeatAnswer>, WorkError> {
    Ok(Json(of_its_job(move || app.jobs.beat(id, &beat)).await?))
}

async fn report(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    json: axum::body::Bytes,
) -> Result<Json<ReportAnswer>, WorkError> {
    // A value takes many times of its text in memory: so they are counted first, and one answer is read at a time.
    if memchr::memchr_iter(b',', &json).count() > REPORT_VALUES {
        let why = format!("has more than {REPORT_VALUES} values: put what is large into files of the version");
        return Err(ApiError::unfit("body", "end", why).into());
    }
    let _alone = REPORTS.acquire().await.map_err(ApiError::internal)?;
    let report = tokio::task::spawn_blocking(move || Body::<Report>::read(&json));
    let Body(report) = report.await.map_err(ApiError::internal)??;
    Ok(Json(of_its_job(move || app.jobs.report(id, &report)).await?))
}

async fn go_on(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Body(Continued { epoch }): Body<Continued>,
) -> Result<Json<ReportAnswer>, WorkError> {
    Ok(Json(of_its_job(move || app.jobs.go_on(id, epoch)).await?))
}

/// The job as its worker has it, and its version.
async fn held(app: &App, id: JobId, epoch: u64) -> Result<(Job, VersionName), WorkError> {
    let jobs = app.jobs.clone();
    let job = of_its_job(move || {
        let job = jobs.get(id)?;
        job.held_under(epoch)?;
        Ok::<_, JobError>(job)
    });
    let job = job.await?;
    match job.version.clone() {
        Some(version) => Ok((job, version)),
        None => Err(ApiError::Conflict(format!("{id} has no version yet")).into()),
    }
}

/// The file that a worker was told to send.
async fn awaited(
    app: &App,
    id: JobId,
    path: ArtifactPath,
    SendQuery { epoch, sha256 }: SendQuery,
) -> Result<NewFile, WorkError> {
    let (job, version) = held(app, id, epoch).await?;
    let (jobs, of, at) = (app.jobs.clone(), job.clone(), path.clone());
    blocking(move || jobs.awaits(&of, &at, sha256)).await?;
    let (sha256, lease) = (Some(sha256), Some((id, epoch)));
    Ok(NewFile { model: job.model, version, path, sha256, length: None, lease })
}

async fn send(
    State(app): State<App>,
    PathPart((id, path)): PathPart<(JobId, ArtifactPath)>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SendQuery>,
    headers: HeaderMap,
    body: Upload,
) -> Result<Response, WorkError> {
    let new = NewFile { length: body.length(), ..awaited(&app, id, path, query).await? };
    Ok(uploads::receive(app, asking(actor, &caller), new, &headers, body).await?)
}

async fn reached(
    State(app): State<App>,
    PathPart((id, path)): PathPart<(JobId, ArtifactPath)>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SendQuery>,
) -> Result<Response, WorkError> {
    let new = awaited(&app, id, path, query).await?;
    Ok(uploads::tell(app, asking(actor, &caller), new).await?)
}

async fn go_on_sending(
    State(app): State<App>,
    PathPart((id, path)): PathPart<(JobId, ArtifactPath)>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<SendQuery>,
    headers: HeaderMap,
    body: Upload,
) -> Result<Response, WorkError> {
    let new = awaited(&app, id, path, query).await?;
    Ok(uploads::append(app, asking(actor, &caller), new, &headers, body).await?)
}

async fn fetch(
    State(app): State<App>,
    PathPart((id, path)): PathPart<(JobId, ArtifactPath)>,
    Params(LeaseQuery { epoch }): Params<LeaseQuery>,
    headers: HeaderMap,
) -> Result<Response, WorkError> {
    let (job, version) = held(&app, id, epoch).await?;
    let place = app.files.download_place()?;
    let (file, content) = blocking(move || files::open(&app, &job.model, &version, &path)).await?;
    Ok(download::answer(&headers, &file, content, place)?)
}

async fn log(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Params(LogQuery { epoch, offset }): Params<LogQuery>,
    records: axum::body::Bytes,
) -> Result<Json<LogAnswer>, WorkError> {
    let copied = of_its_job(move || app.jobs.append_log(id, epoch, offset, &records)).await?;
    Ok(Json(LogAnswer { next: copied.next }))
}
