use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::artifacts::Bytes;
use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::backups::{
    AttemptAnswer, AttemptPage, BackupAnswer, BackupPage, BackupPageError, BackupQuery,
};
use crate::app::backups::{Asked, BackupsError, ReadError};
use crate::domain::access::Actor;
use crate::domain::backup::{BackupId, Piece};
use crate::domain::model::Digest;
use crate::domain::request_key::RequestKey;
use crate::http::doc::Doc;
use crate::http::download;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Key, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/backups", Role::Viewer, list).doc(
            Doc::new("backups", "List backups, the newest first")
                .about("Those that are in the directory of backups, and what is under way.")
                .query::<BackupQuery>()
                .answer::<BackupPage>(200, "A page of backups.", examples::backups::page()),
        ),
        Route::post("/api/backups", Role::Operator, make).doc(
            Doc::new("backups", "Make a backup")
                .about(
                    "It is made while everything goes on, verified by a process of its own, and counts only then. The answer \
                     comes at once: `GET /api/backups/attempts/{attempt}` tells how it goes. While one is under way, it is \
                     that one (`joined`). With `to` it is also copied there; elsewhere than where every backup is copied to \
                     sends it an admin only.",
                )
                .once()
                .body::<NewBackup>(json!({ "why": "before the upgrade to 0.2" }))
                .answer::<AttemptAnswer>(202, "It is under way, or waits.", examples::backups::asked())
                .refuses(403, "`to` is another place, and the caller no admin."),
        ),
        Route::get("/api/backups/attempts", Role::Viewer, attempts).doc(
            Doc::new("backups", "List what was attempted, the newest first")
                .about("Backups that were to be made, and looks at those that are there; the newest thousand.")
                .query::<BackupQuery>()
                .answer::<AttemptPage>(
                    200,
                    "A page of attempts.",
                    json!({ "attempts": [examples::backups::done()], "next": null }),
                ),
        ),
        Route::get("/api/backups/attempts/{attempt}", Role::Viewer, attempt).doc(
            Doc::new("backups", "One attempt")
                .path::<u64>("attempt", "The attempt's number.", 41)
                .answer::<AttemptAnswer>(200, "How it stands.", examples::backups::done())
                .refuses(404, "There is no such attempt."),
        ),
        Route::get("/api/backups/{id}", Role::Viewer, show)
            .doc(one("One backup").answer::<BackupAnswer>(200, "What is known of it.", examples::backups::backup())),
        Route::post("/api/backups/{id}/verify", Role::Operator, verify).doc(
            one("Verify a backup again")
                .about(
                    "Checksums, structure, every record, what records say of each other, the audit chain, models' files. Of \
                     one that is encrypted the checksums only: the key is not on the appliance. What is damaged raises an \
                     intent.",
                )
                .once()
                .answer::<AttemptAnswer>(202, "It is under way, or waits.", examples::backups::verifying())
                .refuses(429, "Too many wait already."),
        ),
        Route::get("/api/backups/{id}/files/{name}", Role::Admin, file).doc(
            one("A file of a backup")
                .about("`manifest.json`, `SHA256SUMS`, or the data file under the name that the backup has it. Parts by `Range`.")
                .path::<String>("name", "The file's name.", "quantum.redb")
                .header::<String>("Range", "The part: `bytes=0-1023`, `bytes=1024-`, `bytes=-512`.")
                .answer_as::<Bytes>(200, "The file; its `ETag` is its digest.", "application/octet-stream", "…")
                .answer_as::<Bytes>(206, "The part of it.", "application/octet-stream", "…")
                .done(304, "The client has it.")
                .refuses(416, "There is nothing of that range.")
                .refuses(503, "It is damaged, or too many downloads are under way."),
        ),
        Route::get("/api/backups/{id}/artifacts/{sha256}", Role::Admin, artifact).doc(
            one("A file of a model's version in a backup")
                .path::<Digest>("sha256", "The digest of its content, as the manifest has it.", examples::backups::SHA256)
                .header::<String>("Range", "The part: `bytes=0-1023`, `bytes=1024-`, `bytes=-512`.")
                .answer_as::<Bytes>(200, "The file, as stored.", "application/octet-stream", "…")
                .answer_as::<Bytes>(206, "The part of it.", "application/octet-stream", "…")
                .done(304, "The client has it.")
                .refuses(416, "There is nothing of that range.")
                .refuses(503, "It is damaged, or too many downloads are under way."),
        ),
    ]
}

fn one(summary: &'static str) -> Doc {
    Doc::new("backups", summary)
        .path::<BackupId>("id", "The backup.", examples::backups::ID)
        .refuses(404, "There is no such backup, or nothing of that name in it.")
}

/// A backup that is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    /// Where it is copied to as well: `s3://bucket/prefix`, in the store that is configured.
    #[schemars(length(max = 1024))]
    to: Option<String>,
    /// Why, for those who come after.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    why: String,
}

/// Who asks for what, now.
pub(in crate::http) fn asked(
    caller: &Caller,
    actor: Actor,
    key: Option<RequestKey>,
    why: String,
    to: Option<String>,
) -> Asked {
    Asked { actor, grant: caller.grant, why, to, key, now: now() }
}

async fn list(State(app): State<App>, Params(query): Params<BackupQuery>) -> Result<Json<BackupPage>, ApiError> {
    Ok(Json(blocking(move || BackupPage::find(&app.backups, &query, now())).await?))
}

async fn attempts(State(app): State<App>, Params(query): Params<BackupQuery>) -> Result<Json<AttemptPage>, ApiError> {
    Ok(Json(blocking(move || AttemptPage::find(&app.store, &query)).await?))
}

async fn attempt(State(app): State<App>, PathPart(number): PathPart<u64>) -> Result<Json<AttemptAnswer>, ApiError> {
    Ok(Json(blocking(move || AttemptAnswer::find(&app.backups, number)).await?))
}

async fn show(State(app): State<App>, PathPart(id): PathPart<BackupId>) -> Result<Json<BackupAnswer>, ApiError> {
    Ok(Json(blocking(move || BackupAnswer::find(&app.backups, id, now())).await?))
}

async fn make(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
    Body(NewBackup { to, why }): Body<NewBackup>,
) -> Result<Response, ApiError> {
    let asked = asked(&caller, actor, key, why, to);
    accepted(blocking(move || app.backups.make(&asked)).await?)
}

async fn verify(
    State(app): State<App>,
    PathPart(id): PathPart<BackupId>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
    Key(key): Key,
) -> Result<Response, ApiError> {
    let asked = asked(&caller, actor, key, String::new(), None);
    accepted(blocking(move || app.backups.verify(id, &asked)).await?)
}

/// Under way, and where to see how it goes.
fn accepted(answer: AttemptAnswer) -> Result<Response, ApiError> {
    let place = format!("/api/backups/attempts/{}", answer.attempt);
    let place = HeaderValue::try_from(place).map_err(ApiError::internal)?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(answer)).into_response())
}

async fn file(
    State(app): State<App>,
    PathPart((id, name)): PathPart<(BackupId, String)>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    hand_out(app, id, Piece::File(name), actor, headers).await
}

async fn artifact(
    State(app): State<App>,
    PathPart((id, sha256)): PathPart<(BackupId, Digest)>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    hand_out(app, id, Piece::Artifact(sha256), actor, headers).await
}

async fn hand_out(
    app: App,
    id: BackupId,
    piece: Piece,
    actor: Actor,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let busy = || ApiError::Unavailable("too many downloads are under way: try again in some seconds".to_owned());
    let place = app.backups.download_place().ok_or_else(busy)?;
    let opened = blocking(move || app.backups.open(id, &piece, &actor, now())).await?;
    download::answer(&headers, &opened.file, opened.content, place)
}

/// After how long it is worth asking again.
const CROWDED_SECONDS: u64 = 60;

impl From<BackupsError> for ApiError {
    fn from(error: BackupsError) -> Self {
        let words = error.to_string();
        match error {
            BackupsError::Unknown(_) | BackupsError::NoAttempt(_) => Self::NotFound(words),
            BackupsError::Bad { field, why } => Self::unfit("body", field, why),
            BackupsError::Forbidden(_) => Self::Forbidden(words),
            BackupsError::KeyUsed(_) => Self::Conflict(words),
            BackupsError::Crowded(_) => Self::TooMany { detail: words, seconds: CROWDED_SECONDS },
            BackupsError::Unreadable(_) | BackupsError::Backup(_) => Self::Unavailable(words),
            BackupsError::Store(error) => error.into(),
            BackupsError::Answer(_) => Self::internal(error),
        }
    }
}

impl From<BackupPageError> for ApiError {
    fn from(error: BackupPageError) -> Self {
        match error {
            BackupPageError::Query(error) => error.into(),
            BackupPageError::Backups(error) => error.into(),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Backups(error) => error.into(),
            ReadError::NoFile { .. } => Self::NotFound(error.to_string()),
            ReadError::NotWhole { .. } | ReadError::Io { .. } | ReadError::Size { .. } => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
