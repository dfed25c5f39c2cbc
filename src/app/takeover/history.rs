//! Taking in what the predecessor left in its stream, in batches that each commit with how far they came: a death at any
//! point neither loses nor repeats an event, and whoever asks again goes on.

use super::batch::{BatchError, Importer};
use crate::app::App;
use crate::app::answers::HistoryAnswer;
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Micros;
use crate::mirror::{HistoryReader, MirrorSettings, ProbeTrouble};
use crate::observe::now;
use crate::store::{FeedHistory, StoreError};

/// Entries a batch: what a block of the store holds.
const BATCH: usize = 4_096;

/// Who wants a history to be taken in.
#[derive(Clone, Debug)]
pub enum Asked {
    /// The daemon at its very first start, before anything was read from the journal.
    First,
    /// Somebody, of a daemon at work.
    By(Actor),
}

/// Why a history is not taken in, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is no Redis to look into.
    #[error("redis.url is empty: it names no Redis whose stream could be taken in")]
    NoRedis,
    /// Redis.
    #[error("{}; {}", .0.summary, .0.remedy)]
    Redis(ProbeTrouble),
    /// What the journal gives is not known yet.
    #[error(
        "the journal is still being read: it is {}, and the newest event of the history is of {}; ask again in a minute",
        read_to.map_or_else(|| "at its beginning".to_owned(), |at| format!("at {}", at.rfc3339())), until.rfc3339()
    )]
    JournalBehind {
        /// How far the journal was read.
        read_to: Option<Micros>,
        /// The end of the history.
        until: Micros,
    },
    /// It is being done already.
    #[error("the history is being taken in already: wait for that")]
    UnderWay,
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread that ended.
    #[error("it stopped with a panic: see the log")]
    Task(#[from] tokio::task::JoinError),
}

impl From<BatchError> for HistoryError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Store(error) => Self::Store(error),
            BatchError::Overtaken => Self::UnderWay,
        }
    }
}

/// Takes in what stands in the stream now and was not looked at yet, or only tells what would become of it.
pub async fn import(app: &App, asked: Asked, dry_run: bool) -> Result<HistoryAnswer, HistoryError> {
    if app.config.redis.url.is_empty() {
        return Err(HistoryError::NoRedis);
    }
    let Ok(_alone) = app.taking_over.try_lock() else { return Err(HistoryError::UnderWay) };
    let mut reader = HistoryReader::open(MirrorSettings::new(&app.config.redis)).await.map_err(HistoryError::Redis)?;
    let end = reader.end().await.map_err(HistoryError::Redis)?;
    let server = reader.server();
    let (now, reading) = (now(), app.clone());
    if let Asked::By(_) = &asked {
        journal_is_past(app, &mut reader).await?;
    }
    let first = matches!(asked, Asked::First);
    let begun = tokio::task::spawn_blocking(move || begin(reading, server, first, dry_run, now));
    let mut importer = begun.await??;
    let mut after = importer.row.upto;
    let had = importer.row.taken;
    let end = end.unwrap_or_default();
    while after < end {
        let mut entries = reader.after(after, BATCH).await.map_err(HistoryError::Redis)?;
        entries.retain(|entry| entry.id <= end);
        let Some(last) = entries.last() else { break };
        after = last.id;
        crate::failpoint!("history.read");
        let step = tokio::task::spawn_blocking(move || {
            let taken = importer.take(&entries);
            (importer, taken)
        });
        let taken;
        (importer, taken) = step.await?;
        taken?;
    }
    if importer.row.entries == 0 {
        // Nothing was ever there: nothing to remember.
        return Ok(HistoryAnswer::of(&importer.row, dry_run));
    }
    let actor = match asked {
        Asked::First => Actor::own("feed"),
        Asked::By(actor) => actor,
    };
    tokio::task::spawn_blocking(move || {
        if importer.row.finished.is_none() || importer.row.taken > had {
            importer.finish(|row| entry(row, &actor, now))?;
        }
        let answer = HistoryAnswer::of(&importer.row, dry_run);
        if !dry_run {
            tracing::info!(
                stream = answer.stream,
                entries = answer.entries,
                taken = answer.taken,
                left = answer.left.values().sum::<u64>(),
                "the predecessor's history is taken in"
            );
        }
        Ok(answer)
    })
    .await?
}

fn entry(row: &FeedHistory, actor: &Actor, now: Micros) -> AuditEntry {
    let left: Vec<String> = row.left.iter().map(|(word, count)| format!("{word} {count}")).collect();
    let left = if left.is_empty() { String::new() } else { format!("; left: {}", left.join(", ")) };
    let why = format!("{} of {} entries taken{left}", row.taken, row.entries);
    AuditEntry::done(now, actor, "import.history", row.stream.clone(), why)
}

/// Where it goes on, or begins. Blocks.
fn begin(app: App, server: String, first: bool, dry_run: bool, now: Micros) -> Result<Importer, StoreError> {
    let stored = app.store.feed_history()?;
    let stream = app.config.redis.stream.clone();
    let row = match &stored {
        Some(row) if row.server == server && row.stream == stream => row.clone(),
        _ => FeedHistory {
            server,
            stream,
            last: stored.as_ref().map(|row| row.last).unwrap_or_default(),
            places: stored.as_ref().map(|row| row.places.clone()).unwrap_or_default(),
            leads: first,
            started: now,
            ..FeedHistory::default()
        },
    };
    Importer::new(app, row, first, dry_run, now)
}

/// Whether the store has all that the journal has of the history's time, so that it shows which lines it has.
async fn journal_is_past(app: &App, reader: &mut HistoryReader) -> Result<(), HistoryError> {
    let Some(until) = reader.newest().await.map_err(HistoryError::Redis)? else { return Ok(()) };
    let feed = app.store.feed();
    let read_to = feed.position.map(|position| position.ts).max(feed.tick);
    if read_to.is_none_or(|at| at < until) {
        return Err(HistoryError::JournalBehind { read_to, until });
    }
    Ok(())
}
