//! Answers that go on: events as they are stored.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{blocking, examples};
use crate::app::App;
use crate::app::answers::{EventPage, EventQuery, QueryError, StreamQuery};
use crate::app::tail::{Ended, Format, Reader};
use crate::domain::id::EventId;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::http::stream;
use crate::store::StoreError;

/// How long a live view is silent at most. Proxies give up what is silent for longer, and browsers find out by writing
/// nothing at all.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a reader may leave one part of the tail lying before it counts as slow.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how many milliseconds a browser comes back.
const RETRY_MILLIS: u32 = 3_000;

/// Parts on the way to one client. More of them wait at the ring, where they are everybody's.
const UNDER_WAY: usize = 1;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/events/stream", Role::Viewer, events).streams().doc(
            Doc::new("events", "Follow events")
                .about(
                    "Server-sent events: `id` is the event's id, `event` is `event`, `data` the event in JSON. A browser's \
                     EventSource comes back by itself with `Last-Event-ID` and misses nothing; where events are kept no \
                     longer an `event: gap` says so. Whoever does not keep up is dropped. A comment comes every 15 s.",
                )
                .query::<StreamQuery>()
                .header::<EventId>("Last-Event-ID", "The last event that was seen.")
                .answer_as::<String>(200, "Goes on until the client leaves.", "text/event-stream", stream_example()),
        ),
        Route::get("/api/events/follow", Role::Viewer, follow).streams().doc(
            Doc::new("events", "Follow events as lines")
                .about("The newest `limit` events, the oldest first, then each further one as it is stored. No cursor.")
                .query::<EventQuery>()
                .answer_as::<String>(
                    200,
                    "A JSON object a line; goes on until the client leaves.",
                    "application/x-ndjson",
                    format!("{}\n", examples::event()),
                ),
        ),
    ]
}

fn stream_example() -> String {
    format!("id: {}\nevent: event\ndata: {}\n\n", examples::EVENT_ID, examples::event())
}

/// Server-sent events: each event as it is stored, its id as the event's id.
async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<Response, ApiError> {
    let last_seen = last_event_id(&headers)?.or(query.last_event_id);
    let (seen, gap) = match last_seen {
        None => (app.store.committed().borrow().last, None),
        Some(id) => {
            let store = app.store.clone();
            blocking(move || resume(&store, id)).await?
        }
    };
    let mut reader = Reader::new(&app, query.filter(), Format::Sse, seen);
    let (sender, parts) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        let begin = format!("retry: {RETRY_MILLIS}\nid: {seen}\n\n{}", gap.unwrap_or_default());
        if sender.send(begin.into()).await.is_err() {
            return;
        }
        loop {
            let part = tokio::select! {
                part = timeout(HEARTBEAT, reader.next()) => part,
                () = sender.closed() => return,
            };
            let part: Bytes = match part {
                Ok(Ok(part)) => part,
                Ok(Err(Ended::Behind)) => break,
                Ok(Err(Ended::Closed)) => return,
                // With the id, so that a reader of little comes back to where it stands, not to its last event.
                Err(_) => format!(": still here\nid: {}\n\n", reader.seen()).into(),
            };
            match timeout(PATIENCE, sender.send(part)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => break,
            }
        }
        app.metrics.tail_dropped.inc();
    });
    Ok(stream::events(parts))
}

/// What a client said it has seen.
fn last_event_id(headers: &HeaderMap) -> Result<Option<EventId>, ApiError> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().unwrap_or_default();
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|error| ApiError::unfit("header", "Last-Event-ID", format!("{error}")))
}

/// Where to go on for somebody who has seen `id`, and what to say of events that cannot be shown any more.
fn resume(store: &crate::store::Store, id: EventId) -> Result<(EventId, Option<String>), StoreError> {
    let gap = |from: Option<EventId>| {
        Some(format!("event: gap\ndata: {}\n\n", serde_json::json!({ "after": id, "from": from })))
    };
    let newest = store.committed().borrow().last;
    if id > newest {
        // An id that is not ours, or not any more: an older data file was restored.
        return Ok((newest, gap(None)));
    }
    let oldest = store.oldest()?;
    // Before the first removal nothing is missing, however early the id.
    let removed = store.feed().kept < store.feed().events;
    Ok((id, if removed && oldest.is_none_or(|oldest| id < oldest) { gap(oldest) } else { None }))
}

/// The newest `limit` events, oldest first, then each further one as it is stored: a JSON object a line. For the
/// commands, which do not come back by themselves: one that is slow is not dropped but reads on from the store.
async fn follow(State(app): State<App>, Params(query): Params<EventQuery>) -> Result<Response, ApiError> {
    if query.cursor.is_some() {
        return Err(QueryError::Bad { field: "cursor", why: "what goes on has no pages".into() }.into());
    }
    let start = app.store.committed().borrow().last;
    let filter = query.filter();
    let (store, newest) = (app.store.clone(), EventQuery { cursor: Some(start.next().to_string()), ..query });
    let page = blocking(move || EventPage::find(&store, &newest)).await?;
    let mut reader = Reader::new(&app, filter, Format::Lines, start);
    let (sender, lines) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        let mut first = Vec::new();
        for event in page.events.iter().rev() {
            first.extend_from_slice(event.get().as_bytes());
            first.push(b'\n');
        }
        if !first.is_empty() && sender.send(first.into()).await.is_err() {
            return;
        }
        loop {
            let part = tokio::select! {
                part = reader.next() => part,
                () = sender.closed() => return,
            };
            match part {
                Ok(part) => {
                    if sender.send(part).await.is_err() {
                        return;
                    }
                }
                Err(Ended::Behind) => reader.fall_back(),
                Err(Ended::Closed) => return,
            }
        }
    });
    Ok(stream::lines(lines))
}
