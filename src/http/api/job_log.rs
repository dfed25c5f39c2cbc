//! What a job's programs write: page by page, and as it comes.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::blocking;
use super::examples::jobs as examples;
use super::jobs::one;
use crate::app::App;
use crate::app::answers::jobs::{JobLogs, LogError, LogFormat, LogPage, LogQuery, lines};
use crate::app::answers::query::filled;
use crate::app::jobs::JobError;
use crate::domain::job::{Job, JobId, JobState};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::http::stream;
use crate::joblog::{Lines, LogReader};

/// How often it is looked whether there is more. A worker sends what programs write every second or so.
const LOOK: Duration = Duration::from_millis(500);

/// How long a live view is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a reader may leave one part lying.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how many milliseconds a browser comes back.
const RETRY_MILLIS: u32 = 3_000;

/// Bytes of lines that are sent at once.
const PART: usize = 128 << 10;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/jobs/{id}/log", Role::Viewer, page).doc(
            one("What a job's programs write")
                .about(
                    "The newest lines, those from an offset on, those before one, or those with a text in them. Of a long log \
                     the beginning and the end are kept. An offset stays what it is.",
                )
                .query::<LogQuery>()
                .answer::<LogPage>(200, "Lines, oldest first.", examples::log())
                .answer_as::<String>(200, "Lines, oldest first.", "text/plain", examples::LOG_TEXT),
        ),
        Route::get("/api/jobs/{id}/log/live", Role::Viewer, live).streams().doc(
            live_doc().query::<LiveQuery>().header::<u64>("Last-Event-ID", "The offset that was come to.").answer_as::<String>(
                200,
                "Goes on until the programs have ended, or the client leaves.",
                "text/event-stream",
                examples::log_events(),
            ),
        ),
    ]
}

fn live_doc() -> Doc {
    one("Follow what a job's programs write").about(
        "Server-sent events: `lines` has lines as `data`, in JSON, and as `id` the offset behind them, with which a browser's \
         EventSource comes back by itself; `gap` says that bytes before the next lines are not kept; `end` says that nothing \
         more comes. A pending job is waited for. Whoever does not keep up is dropped. A comment comes every 15 s.",
    )
}

async fn page(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    Params(query): Params<LogQuery>,
) -> Result<Response, ApiError> {
    let format = query.format.unwrap_or_default();
    let look = move || {
        app.jobs.get(id)?;
        Ok::<_, ApiError>(JobLogs::of(&app.jobs, id).page(&query)?)
    };
    let page = blocking(look).await?;
    Ok(match format {
        LogFormat::Json => Json(page).into_response(),
        LogFormat::Text => {
            let text: String = page.lines.iter().map(|line| format!("{line}\n")).collect();
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
    })
}

/// From where on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LiveQuery {
    /// Of which lease; of the newest where nothing is said, or of the next where the job is pending.
    #[serde(deserialize_with = "filled")]
    epoch: Option<u64>,
    /// From this offset on; from the beginning where nothing is said. A `Last-Event-ID` goes before.
    #[serde(deserialize_with = "filled")]
    from: Option<u64>,
}

async fn live(
    State(app): State<App>,
    PathPart(id): PathPart<JobId>,
    headers: HeaderMap,
    Params(query): Params<LiveQuery>,
) -> Result<Response, ApiError> {
    let from = last_event_id(&headers)?.or(query.from).unwrap_or_default();
    let jobs = app.jobs.clone();
    let job = blocking(move || jobs.get(id)).await?;
    // The lease that a pending job is given next is the next one.
    let next = if job.state == JobState::Pending { job.epoch + 1 } else { job.epoch };
    let epoch = query.epoch.unwrap_or(next);
    let (sender, parts) = mpsc::channel(1);
    let mut follower = Follower { reader: JobLogs::of(&app.jobs, id).log(epoch), app, id, epoch, at: from };
    tokio::spawn(async move {
        // Who was too slow, or has left, is told nothing.
        let _ = follower.run(&sender).await;
    });
    Ok(stream::events(parts))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    match id.to_str().unwrap_or_default() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::unfit("header", "Last-Event-ID", "not the offset of a line: send what `id` said")),
    }
}

/// One reader of one log.
struct Follower {
    app: App,
    id: JobId,
    epoch: u64,
    reader: LogReader,
    at: u64,
}

/// The client has left, does not keep up, or there is nothing to read any more.
struct Gone;

impl Follower {
    async fn run(&mut self, sender: &mpsc::Sender<Bytes>) -> Result<(), Gone> {
        send(sender, format!("retry: {RETRY_MILLIS}\nid: {}\n\n", self.at)).await?;
        let mut silent_since = Instant::now();
        loop {
            // In this order: what is written before the job is over is read after that is known.
            let over = self.over().await?;
            let mut sent = false;
            while self.part(sender).await? {
                sent = true;
            }
            if let Some(in_words) = over {
                // The last lines may still be on their way from a worker that was called off.
                sleep(LOOK).await;
                while self.part(sender).await? {}
                return send(sender, format!("event: end\ndata: {}\n\n", json!({ "in_words": in_words }))).await;
            }
            if sent {
                silent_since = Instant::now();
            } else if silent_since.elapsed() >= HEARTBEAT {
                silent_since = Instant::now();
                send(sender, ": still here\n\n".to_owned()).await?;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = sender.closed() => return Err(Gone),
            }
        }
    }

    /// Sends what there is, up to a part; whether there was any.
    async fn part(&mut self, sender: &mpsc::Sender<Bytes>) -> Result<bool, Gone> {
        let (reader, at) = (self.reader.clone(), self.at);
        let read = tokio::task::spawn_blocking(move || reader.read(at, PART)).await;
        let Ok(Ok(Lines { first, next, skipped, bytes, .. })) = read else { return Err(Gone) };
        if bytes.is_empty() {
            return Ok(false);
        }
        let gap = match skipped {
            0 => String::new(),
            skipped => format!("event: gap\ndata: {}\n\n", json!({ "skipped": skipped })),
        };
        let lines = serde_json::to_string(&lines(&bytes, first)).map_err(|_| Gone)?;
        send(sender, format!("{gap}event: lines\nid: {next}\ndata: {lines}\n\n")).await?;
        self.at = next;
        Ok(true)
    }

    /// Why nothing more will come, if so.
    async fn over(&self) -> Result<Option<String>, Gone> {
        let (jobs, id) = (self.app.jobs.clone(), self.id);
        match tokio::task::spawn_blocking(move || jobs.get(id)).await {
            Ok(Ok(job)) => Ok(over(&job, self.epoch)),
            Ok(Err(JobError::NoJob(_))) => Ok(Some("The job is kept no longer".to_owned())),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

fn over(job: &Job, epoch: u64) -> Option<String> {
    if job.state.is_over() {
        return Some(format!("The job is {}", job.state));
    }
    let given_back = job.epoch == epoch && job.state == JobState::Pending && epoch > 0;
    (job.epoch > epoch || given_back).then(|| "This try is over: the job is tried again".to_owned())
}

async fn send(sender: &mpsc::Sender<Bytes>, part: String) -> Result<(), Gone> {
    match timeout(PATIENCE, sender.send(part.into())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Query(error) => error.into(),
            LogError::Unreadable { .. } => Self::internal(error),
        }
    }
}
