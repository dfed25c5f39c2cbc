use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use tokio::sync::mpsc;

use super::blocking;
use crate::app::App;
use crate::app::answers::{EventPage, EventQuery};
use crate::domain::batch::EventBatch;
use crate::domain::id::EventId;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;
use crate::http::stream;
use crate::store::EventFilter;

/// Events read at once for a follower.
const FOLLOW_EVENTS: usize = 4_096;

/// How long to wait when the file cannot be read just now.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// Answers that wait for a slow follower; beyond that it waits for itself.
const FOLLOW_CHUNKS: usize = 4;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::get("/api/events", Role::Viewer, list),
        Route::get("/api/events/follow", Role::Viewer, follow).streams(),
    ]
}

async fn list(State(app): State<App>, Params(query): Params<EventQuery>) -> Result<Json<EventPage>, ApiError> {
    Ok(Json(blocking(move || EventPage::find(&app.store, &query)).await?))
}

/// The newest `limit` events, oldest first, then each further one as it is stored: a JSON object a line.
async fn follow(State(app): State<App>, Params(query): Params<EventQuery>) -> Result<Response, ApiError> {
    let filter = query.filter()?;
    let mut committed = app.store.committed();
    let start = committed.borrow_and_update().last;
    let (store, newest) = (app.store.clone(), EventQuery { cursor: Some(start.next().to_string()), ..query });
    let page = blocking(move || EventPage::find(&store, &newest)).await?;
    let (sender, lines) = mpsc::channel(FOLLOW_CHUNKS);
    tokio::spawn(async move {
        let mut first = Vec::new();
        for event in page.events.iter().rev() {
            first.extend_from_slice(event.get().as_bytes());
            first.push(b'\n');
        }
        if !first.is_empty() && sender.send(first.into()).await.is_err() {
            return;
        }
        let mut after = start;
        loop {
            let (store, filter) = (app.store.clone(), filter.clone());
            // No snapshot is held while the client takes its time: each step opens one and lets it go.
            let step = tokio::task::spawn_blocking(move || {
                store.events_after(after, FOLLOW_EVENTS).map(|events| lines_of(&events, &filter, after))
            });
            let (chunk, last, more) = match step.await {
                Ok(Ok(found)) => found,
                // The file is being opened anew after a failed commit: the follower must not take that for the end.
                Ok(Err(_)) => {
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => continue,
                        () = sender.closed() => return,
                    }
                }
                Err(_) => return,
            };
            after = last;
            if !chunk.is_empty() && sender.send(chunk).await.is_err() {
                return;
            }
            if more {
                continue;
            }
            tokio::select! {
                changed = committed.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    Ok(stream::lines(lines))
}

fn lines_of(events: &EventBatch, filter: &EventFilter, after: EventId) -> (Bytes, EventId, bool) {
    let (mut text, mut last) = (Vec::new(), after);
    for event in events.iter() {
        last = event.id;
        if filter.matches(&event) && serde_json::to_writer(&mut text, &event.json(usize::MAX)).is_ok() {
            text.push(b'\n');
        }
    }
    (text.into(), last, !events.is_empty())
}
