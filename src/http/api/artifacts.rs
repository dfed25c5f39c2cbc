use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{blocking, uploads};
use crate::app::App;
use crate::app::files::{self, CheckAnswer, FileAnswer, FileError, ManifestAnswer, NewFile};
use crate::app::registry::{Ask, RegistryError};
use crate::artifacts::{ArtifactError, Registered};
use crate::domain::access::{Actor, Scope};
use crate::domain::model::{ArtifactPath, Digest, ModelId, VersionName};
use crate::http::doc::Doc;
use crate::http::download;
use crate::http::error::ApiError;
use crate::http::extract::{Body, Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::http::upload::Upload;
use crate::observe::now;

/// Reading files again takes as long as the disk does: some gigabytes a minute.
pub(super) const READING: Duration = Duration::from_secs(15 * 60);

const MODEL: &str = "xgboost_btcusdt_1h_main";
const VERSION: &str = "v20260117_034606";
const FILES: &str = "/api/models/{id}/versions/{version}/artifacts";
const FILE: &str = "/api/models/{id}/versions/{version}/artifacts/{*path}";

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get(FILES, Role::Viewer, list).doc(
            version("The files of a version").answer::<ManifestAnswer>(200, "Its manifest.", manifest()),
        ),
        Route::post(FILES, Role::Admin, register_in_place).answers_within(READING).doc(
            version("Register files where they are")
                .about(
                    "All files of a version at once, in a directory of this machine that the daemon may read. They stay \
                     where they are and are somebody else's to keep. Each is read once: its digest is compared with the \
                     one that is given, or found out. No name on the way may be a symbolic link.",
                )
                .body::<InPlace>(json!({ "in_place": "/srv/models/btc/v7", "files": [{ "path": "model.onnx" }] }))
                .answer::<ManifestAnswer>(200, "The manifest as it is now.", in_place())
                .refuses(400, "A file cannot be read, or is not what it is said to be.")
                .refuses(409, "The version has files already, or has left training.")
                .refuses(503, "Too much is being read at the moment."),
        ),
        Route::put(FILE, Role::Operator, upload).also(Scope::Worker).uploads().doc(
            file("Send a file of a version")
                .about(
                    "The body is the file, as it is. It is hashed while it comes and kept under its digest. Sent again \
                     with the same content it is there already; other content under the same path is refused. A version \
                     takes files while it is in training. A body may take as long as it likes as long as something of it \
                     comes. What came of one that broke off is kept for a day if its SHA-256 was given: see `/uploads/`.",
                )
                .query::<UploadQuery>()
                .header::<String>(
                    "Content-Digest",
                    "What the file is said to be (RFC 9530): `sha-256=:<base64>:`. Anything else is not kept.",
                )
                .body_as::<Bytes>("application/octet-stream", "…")
                .answer::<FileAnswer>(201, "It was taken in.", entry())
                .answer::<FileAnswer>(200, "It was there already.", entry())
                .refuses(400, "The file is empty, or not what it was said to be, or broke off.")
                .refuses(408, "Nothing came for half a minute.")
                .refuses(409, "The path has other content, or the version has left training.")
                .refuses(413, "It is larger than artifacts.max_file.")
                .refuses(503, "The disk is full, or too many uploads are under way."),
        ),
        Route::get(FILE, Role::Viewer, download).doc(
            file("One file of a version")
                .about("With `Range` (one range) a part of it; with `If-None-Match`, only if it is another.")
                .header::<String>("Range", "The part: `bytes=0-1023`, `bytes=1024-`, `bytes=-512`.")
                .header::<String>("If-Range", "The `ETag` of what the client has a part of.")
                .header::<String>("If-None-Match", "The `ETag` of what the client has.")
                .answer_as::<Bytes>(200, "The file; its `ETag` is its digest.", "application/octet-stream", "…")
                .answer_as::<Bytes>(206, "The part of it.", "application/octet-stream", "…")
                .done(304, "The client has it.")
                .refuses(416, "There is nothing of that range.")
                .refuses(503, "Its content is missing or damaged, or too many downloads are under way."),
        ),
        Route::post("/api/models/{id}/versions/{version}/verify", Role::Operator, verify).answers_within(READING).doc(
            version("Read the files of a version again")
                .about("Compares each with its digest. What is damaged or missing is said here and in the audit log.")
                .answer::<CheckAnswer>(200, "How each file was found.", check())
                .refuses(503, "Too much is being read at the moment."),
        ),
    ]
}

pub(super) fn version(summary: &'static str) -> Doc {
    Doc::new("models", summary)
        .path::<ModelId>("id", "The model.", MODEL)
        .path::<VersionName>("version", "The version.", VERSION)
        .refuses(404, "There is no such version.")
}

pub(super) fn file(summary: &'static str) -> Doc {
    version(summary).path::<ArtifactPath>("path", "The file's path within its version; may have `/`.", "model.onnx")
}

pub(super) fn entry() -> Value {
    let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    json!({ "path": "model.onnx", "size": 48_213_504, "sha256": sha256 })
}

fn manifest() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "in_place": null, "state": "sound", "size": 48_213_504, "files": [entry()],
    })
}

fn in_place() -> Value {
    let mut manifest = manifest();
    manifest["in_place"] = json!("/srv/models/btc/v7");
    manifest
}

fn check() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "sound": false,
        "files": [
            { "path": "model.onnx", "state": "ok", "why": null },
            { "path": "scaler.json", "state": "missing", "why": "it is not there" },
        ],
    })
}

/// A file as it is.
pub(super) struct Bytes;

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "binary" })
    }
}

type Of = (ModelId, VersionName);
pub(super) type FileOf = (ModelId, VersionName, ArtifactPath);

pub(super) fn asking(actor: Actor, caller: &Caller) -> Ask {
    Ask { actor, grant: caller.grant, now: now(), key: None, expected: None }
}

async fn list(
    State(app): State<App>,
    PathPart((model, version)): PathPart<Of>,
) -> Result<Json<ManifestAnswer>, ApiError> {
    Ok(Json(blocking(move || files::manifest(&app.store, &model, &version)).await?))
}

/// What an upload is announced as.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UploadQuery {
    /// The SHA-256 that the file is said to have, in hexadecimal. Anything else is not kept.
    sha256: Option<Digest>,
}

async fn upload(
    State(app): State<App>,
    PathPart((model, version, path)): PathPart<FileOf>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(UploadQuery { sha256 }): Params<UploadQuery>,
    headers: HeaderMap,
    body: Upload,
) -> Result<Response, ApiError> {
    let sha256 = match (sha256, content_digest(&headers)?) {
        (Some(query), Some(header)) if query != header => {
            return Err(ApiError::unfit("query", "sha256", "is another than that of the header Content-Digest"));
        }
        (query, header) => query.or(header),
    };
    let new = NewFile { model, version, path, sha256, length: body.length(), lease: None };
    uploads::receive(app, asking(actor, &caller), new, &headers, body).await
}

/// The SHA-256 of a `Content-Digest`, where there is one; digests of other kinds are not looked at.
fn content_digest(headers: &HeaderMap) -> Result<Option<Digest>, ApiError> {
    const NAME: &str = "Content-Digest";
    for value in headers.get_all(NAME) {
        let text = value.to_str().map_err(|_| ApiError::unfit("header", NAME, "is not plain text"))?;
        for member in text.split(',') {
            let Some(encoded) = member.trim().strip_prefix("sha-256=") else { continue };
            let bytes = encoded.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
            let digest = bytes.and_then(|bytes| STANDARD.decode(bytes).ok()).and_then(|bytes| bytes.try_into().ok());
            return match digest {
                Some(digest) => Ok(Some(Digest(digest))),
                None => Err(ApiError::unfit("header", NAME, "write sha-256=:<32 bytes in base64>:")),
            };
        }
    }
    Ok(None)
}

async fn download(
    State(app): State<App>,
    PathPart((model, version, path)): PathPart<FileOf>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = app.files.download_place()?;
    let (file, content) = blocking(move || files::open(&app, &model, &version, &path)).await?;
    download::answer(&headers, &file, content, place)
}

/// Files that stay where they are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InPlace {
    /// The directory, by its whole path.
    in_place: PathBuf,
    /// What in it belongs to the version.
    #[schemars(length(min = 1, max = 1000))]
    files: Vec<InPlaceFile>,
}

/// One of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InPlaceFile {
    /// Its path in the directory.
    path: ArtifactPath,
    /// The digest that it is said to have.
    sha256: Option<Digest>,
}

async fn register_in_place(
    State(app): State<App>,
    PathPart((model, version)): PathPart<Of>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Body(InPlace { in_place, files }): Body<InPlace>,
) -> Result<Json<ManifestAnswer>, ApiError> {
    let ask = asking(actor, &caller);
    let files: Vec<_> = files.into_iter().map(|InPlaceFile { path, sha256 }| Registered { path, sha256 }).collect();
    let step = move || files::register_in_place(&app, &ask, &model, &version, &in_place, &files);
    Ok(Json(blocking(step).await?))
}

async fn verify(
    State(app): State<App>,
    PathPart((model, version)): PathPart<Of>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<CheckAnswer>, ApiError> {
    let ask = asking(actor, &caller);
    Ok(Json(blocking(move || files::verify(&app, &ask, &model, &version)).await?))
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Registry(RegistryError::Manifest(error)) => Self::Conflict(error.to_string()),
            FileError::Registry(error) => error.into(),
            FileError::Artifact(error) => error.into(),
            FileError::NoFile { .. } => Self::NotFound(error.to_string()),
            FileError::BrokeOff => Self::Refused(error.to_string()),
            FileError::Displaced => Self::Unavailable(error.to_string()),
            FileError::Offset { offset } => Self::WrongOffset { offset },
            FileError::Busy(_) => Self::Unavailable(format!("{error}: try again in some seconds")),
            FileError::Store(error) => error.into(),
        }
    }
}

impl From<ArtifactError> for ApiError {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::TooLarge { limit } => Self::TooLarge { limit, advice: "" },
            ArtifactError::Empty
            | ArtifactError::Digest { .. }
            | ArtifactError::Unusable { .. }
            | ArtifactError::Directory { .. } => Self::Refused(error.to_string()),
            ArtifactError::Full { .. } | ArtifactError::Missing { .. } | ArtifactError::Damaged { .. } => {
                Self::Unavailable(error.to_string())
            }
            ArtifactError::Io { .. } => Self::internal(error),
        }
    }
}
