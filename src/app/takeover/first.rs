//! The very first start: what the predecessor left is taken in before the journal is read, so that the journal begins where
//! it ends.

use std::time::{Duration, Instant};

use super::history::{Asked, HistoryError, import};
use crate::app::App;
use crate::config::MirrorMode;
use crate::domain::history::Places;
use crate::mirror::{HistoryReader, MirrorSettings, Writer};
use crate::observe::status::Reporter;
use crate::stop::Stopping;
use crate::store::StoreError;

/// How long the journal may wait for a history that cannot be read to its end. The journal keeps what is written meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes in the history on the first start of a data file, and gives the lines that the journal has to pass over.
///
/// Nothing here keeps the feed from starting for long: where Redis is away, or the predecessor still runs, the journal is
/// read as configured, and what is missing then can be taken in later.
pub async fn at_first_start(app: &App, journal: &Reporter, stopping: &Stopping) -> Result<Places, StoreError> {
    if is_first(app)? && app.config.redis.mirror != MirrorMode::Off && !app.config.redis.url.is_empty() {
        tokio::select! {
            () = take_in(app, journal) => {}
            () = stopping.asked() => {}
        }
    }
    Ok(app.store.feed_history()?.map(|history| history.places).unwrap_or_default())
}

/// Whether nothing but a history, perhaps a part of one, was ever stored.
fn is_first(app: &App) -> Result<bool, StoreError> {
    let feed = app.store.feed();
    let history = app.store.feed_history()?;
    let taken = history.as_ref().map_or(0, |history| history.taken);
    let over = history.is_some_and(|history| history.finished.is_some());
    Ok(!over && feed.position.is_none() && feed.events == taken)
}

async fn take_in(app: &App, journal: &Reporter) {
    let settings = MirrorSettings::new(&app.config.redis);
    // A stream that is silent for long enough is the predecessor's end; more than that nobody waits for.
    let until = Instant::now() + settings.timing.quiet_stopped + PATIENCE;
    loop {
        let mut reader = match HistoryReader::open(settings.clone()).await {
            Ok(reader) => reader,
            Err(trouble) => {
                tracing::info!("no history is taken in before the journal is read: {}", trouble.summary);
                return;
            }
        };
        let writer = match reader.end().await {
            Ok(None) => return,
            Ok(Some(_)) => reader.writer().await,
            Err(trouble) => Err(trouble),
        };
        match writer {
            Ok(Writer::Gone) => break,
            Ok(Writer::AtWork { why, soon: true }) if Instant::now() < until => {
                journal.warn(format!("waits with its first start: {why}"), "nothing: it goes on by itself");
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Writer::AtWork { why, .. }) => {
                tracing::info!(
                    "the predecessor's history stays where it is for now: {why}; once that has stopped, quantum-clm \
                     takeover --apply takes it in"
                );
                return;
            }
            Err(trouble) => {
                tracing::warn!(
                    "the predecessor's history cannot be looked at: {}; {}",
                    trouble.summary,
                    trouble.remedy
                );
                return;
            }
        }
    }
    journal.warn(
        "waits with its first start: the predecessor's history is being taken in",
        "nothing: it goes on by itself",
    );
    let until = Instant::now() + PATIENCE;
    loop {
        match import(app, Asked::First, false).await {
            Ok(_) => return,
            Err(HistoryError::Redis(_) | HistoryError::Store(_)) if Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(
                    "the predecessor's history was not taken in to its end: {error}; the journal is read from where it \
                     came to"
                );
                return;
            }
        }
    }
}
