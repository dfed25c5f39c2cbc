//! Files on their way in, whole or in parts.
//!
//! What came of an upload that broke off is told and gone on with as in the IETF's draft "Resumable Uploads for HTTP"
//! (draft-ietf-httpbis-resumable-upload): `HEAD` answers with `Upload-Offset`, `PATCH` brings the rest. Two things differ. The
//! upload's own path follows from the file's, so nobody needs the interim answer 104 to learn of it; and it is there
//! from the start, with nothing in it, so `PATCH` at 0 begins one.

use std::future::pending;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc};

use super::artifacts::{Bytes, FileOf, READING, asking, entry, file};
use super::blocking;
use crate::app::App;
use crate::app::files::{self, FileAnswer, FileError, GoingOn, NewFile, Piece, Reached, Sent, Took};
use crate::app::registry::Ask;
use crate::domain::access::{Actor, Scope};
use crate::domain::model::Digest;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::http::upload::Upload;

const PATH: &str = "/api/models/{id}/versions/{version}/uploads/{*path}";

/// Pieces on their way from the client to the disk: what a fast client of a slow disk costs in memory.
const PIECES: usize = 4;

/// The headers of the draft; its booleans are those of structured fields (RFC 9651).
const OFFSET: &str = "Upload-Offset";
const COMPLETE: &str = "Upload-Complete";
const YES: &str = "?1";
const NO: &str = "?0";

/// What a part of a file is sent as.
const PART: &str = "application/partial-upload";

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::head(PATH, Role::Operator, reached)
            .also(Scope::Worker)
            .doc(told(file("Ask how far an upload came").query::<RestQuery>())),
        Route::patch(PATH, Role::Operator, go_on)
            .also(Scope::Worker)
            .uploads()
            .answers_within(READING)
            .doc(appended(file("Send the rest of a file").query::<RestQuery>())),
    ]
}

/// Of which content.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RestQuery {
    /// The SHA-256 that the whole file has.
    sha256: Digest,
}

/// The same words for every such `HEAD`.
pub(super) fn told(doc: Doc) -> Doc {
    doc.about(
        "The header `Upload-Offset` says how many bytes of it are here, `Upload-Complete` whether the version has all of it \
         (`?1`). What came is kept for a day after its last byte, for whoever sent it and for nobody else. A connection that \
         still sends it is ended by this question.",
    )
    .done(204, "Upload-Offset and Upload-Complete.")
    .refuses(409, "The file is not one that is wanted.")
    .refuses(503, "Another connection does not let go of it.")
}

/// The same words for every such `PATCH`.
pub(super) fn appended(doc: Doc) -> Doc {
    doc.about(
        "The body is what comes behind the bytes that are here. With `Upload-Complete: ?1` it is all of the rest: the whole is \
         held against its SHA-256 and taken in. With `?0` more will follow. At offset 0 it begins anew.",
    )
    .header::<u64>(OFFSET, "Where the body belongs: what `HEAD` says.")
    .header::<String>(COMPLETE, "`?1` where the body is all of the rest, else `?0`.")
    .body_as::<Bytes>(PART, "…")
    .answer::<FileAnswer>(201, "It was taken in.", entry())
    .answer::<FileAnswer>(200, "It was there already.", entry())
    .done(204, "This part is here; Upload-Offset says what comes next.")
    .refuses(400, "The file is empty, or not what it was said to be (then nothing of it is kept), or broke off.")
    .refuses(408, "Nothing came for half a minute.")
    .refuses(409, "The body belongs elsewhere: `Upload-Offset` says where. Or the file is not one that is wanted.")
    .refuses(413, "It is larger than artifacts.max_file.")
    .refuses(415, "The body is not application/partial-upload.")
    .refuses(503, "The disk is full, or too many uploads are under way, or it goes on over another connection.")
}

async fn reached(
    State(app): State<App>,
    PathPart((model, version, path)): PathPart<FileOf>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(RestQuery { sha256 }): Params<RestQuery>,
) -> Result<Response, ApiError> {
    let new = NewFile { model, version, path, sha256: Some(sha256), length: None, lease: None };
    tell(app, asking(actor, &caller), new).await
}

async fn go_on(
    State(app): State<App>,
    PathPart((model, version, path)): PathPart<FileOf>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Params(RestQuery { sha256 }): Params<RestQuery>,
    headers: HeaderMap,
    body: Upload,
) -> Result<Response, ApiError> {
    let new = NewFile { model, version, path, sha256: Some(sha256), length: None, lease: None };
    append(app, asking(actor, &caller), new, &headers, body).await
}

/// How far an upload is.
pub(super) async fn tell(app: App, ask: Ask, new: NewFile) -> Result<Response, ApiError> {
    let Reached { offset, complete } = blocking(move || files::reached(&app, &ask, &new)).await?;
    let mut answer = progress(offset, complete);
    // It may be another one in a moment.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Takes a body into a version as one of its files.
pub(super) async fn receive(
    app: App,
    ask: Ask,
    new: NewFile,
    headers: &HeaderMap,
    body: Upload,
) -> Result<Response, ApiError> {
    if let Some(false) = complete(headers)? {
        let why = "a body of which more will follow goes to the version's /uploads/, by PATCH";
        return Err(ApiError::Refused(why.to_owned()));
    }
    let _place = app.files.upload_place(&ask.actor.name)?;
    let (looked, asked, looked_for) = (app.clone(), ask.clone(), new.clone());
    let sent = blocking(move || {
        files::may_take(&looked, &asked, &looked_for)?;
        Ok::<_, FileError>(files::begin(&looked, &asked, &looked_for))
    });
    let sent = sent.await?;
    bring(app, ask, new, sent, body).await
}

/// Takes a body in behind what is there of a file.
pub(super) async fn append(
    app: App,
    ask: Ask,
    new: NewFile,
    headers: &HeaderMap,
    body: Upload,
) -> Result<Response, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PART) {
        return Err(ApiError::OtherMedia("a part of a file is sent as application/partial-upload"));
    }
    let offset = offset(headers)?;
    let ends = complete(headers)?.ok_or_else(|| ApiError::unfit("header", COMPLETE, "is missing: ?1 or ?0"))?;
    let length = if ends { body.length().and_then(|rest| rest.checked_add(offset)) } else { None };
    let new = NewFile { length, ..new };
    let _place = app.files.upload_place(&ask.actor.name)?;
    let (looked, asked, looked_for) = (app.clone(), ask.clone(), new.clone());
    match blocking(move || files::go_on(&looked, &asked, &looked_for, offset, ends)).await? {
        GoingOn::With(sent) => bring(app, ask, new, sent, body).await,
        GoingOn::Done(answer) => Ok(Json(answer).into_response()),
    }
}

/// Hands a body on to the disk, piece by piece.
async fn bring(app: App, ask: Ask, new: NewFile, sent: Sent, mut body: Upload) -> Result<Response, ApiError> {
    let displaced = sent.claim.as_ref().map(|claim| claim.displaced());
    let (sender, pieces) = mpsc::channel(PIECES);
    let mut taken = tokio::task::spawn_blocking(move || files::take(&app, &ask, &new, sent, pieces));
    let bringing = async move {
        while let Some(bytes) = body.next().await? {
            // A receiver that is gone has something to say.
            if sender.send(Piece::Bytes(bytes)).await.is_err() {
                return Ok(());
            }
        }
        let _ = sender.send(Piece::End).await;
        Ok::<_, ApiError>(())
    };
    let taken = tokio::select! {
        // What is refused is refused at once, also while the client waits.
        taken = &mut taken => taken,
        () = told_to_let_go(displaced) => return Err(FileError::Displaced.into()),
        brought = bringing => {
            brought?;
            taken.await
        }
    };
    Ok(match taken.map_err(ApiError::internal)?? {
        Took::Whole(answer, true) => (StatusCode::CREATED, Json(answer)).into_response(),
        Took::Whole(answer, false) => Json(answer).into_response(),
        Took::Part(offset) => progress(offset, false),
    })
}

async fn told_to_let_go(displaced: Option<Arc<Notify>>) {
    match displaced {
        Some(displaced) => displaced.notified().await,
        None => pending().await,
    }
}

fn progress(offset: u64, complete: bool) -> Response {
    let headers = [
        (HeaderName::from_static("upload-offset"), HeaderValue::from(offset)),
        (HeaderName::from_static("upload-complete"), HeaderValue::from_static(if complete { YES } else { NO })),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn offset(headers: &HeaderMap) -> Result<u64, ApiError> {
    let text = headers.get(OFFSET).map(|value| value.to_str().unwrap_or_default());
    let text =
        text.ok_or_else(|| ApiError::unfit("header", OFFSET, "is missing: how many bytes are here, as HEAD says"))?;
    // An integer of structured fields has at most 15 digits.
    let fits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if fits { text.parse().ok() } else { None };
    number.ok_or_else(|| ApiError::unfit("header", OFFSET, "is no number of bytes"))
}

/// Whether the body is said to be all of the rest; none where nothing is said.
fn complete(headers: &HeaderMap) -> Result<Option<bool>, ApiError> {
    match headers.get(COMPLETE).map(HeaderValue::as_bytes) {
        None => Ok(None),
        Some(value) if value == YES.as_bytes() => Ok(Some(true)),
        Some(value) if value == NO.as_bytes() => Ok(Some(false)),
        Some(_) => Err(ApiError::unfit("header", COMPLETE, "is neither ?1 nor ?0")),
    }
}
