//! What the predecessor left in the stream, read from its oldest entry on; for whoever takes it in.

use std::path::Path;

use super::condition::MirrorError;
use super::connection::Connection;
use super::probe::Trouble;
use super::settings::MirrorSettings;
use super::stream::{self, EntryId};
use super::takeover::{self, Predecessor, Quiet};
use crate::config::{MirrorMode, RedisTarget};
use crate::domain::history::{self, Places};
use crate::domain::time::Micros;
use crate::observe::now;

/// The longest value that is read: many times what the predecessor wrote.
const LONGEST: usize = 64 << 10;

/// Entries read at once by who reads all of them.
const CHUNK: usize = 1_000;

/// Who writes to the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Nobody else, as far as can be told.
    Gone,
    /// The predecessor's unit, or somebody whose last entry is not old enough.
    AtWork {
        /// In a sentence.
        why: String,
        /// Whether it is only a matter of time: the units are stopped, and the stream is not silent for long enough.
        soon: bool,
    },
}

/// An entry of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its id.
    pub id: EntryId,
    /// Its field `event`, if it has one.
    pub event: Option<Vec<u8>>,
}

/// A connection to Redis that only reads.
pub struct HistoryReader {
    connection: Connection,
    settings: MirrorSettings,
}

impl HistoryReader {
    /// Connects as the mirror does.
    pub async fn open(settings: MirrorSettings) -> Result<Self, Trouble> {
        let connection = Connection::open(&settings.redis, settings.timing.answer).await.map_err(trouble)?;
        Ok(Self { connection: connection.cutting(LONGEST), settings })
    }

    /// Address and database of the Redis.
    pub fn server(&self) -> String {
        RedisTarget::parse(&self.settings.redis.url).map(|target| target.place()).unwrap_or_default()
    }

    /// The largest id that the stream ever held; `None` where it is empty or there is none.
    pub async fn end(&mut self) -> Result<Option<EntryId>, Trouble> {
        let end = stream::watch(&mut self.connection, &self.settings.redis.stream).await.map_err(trouble)?;
        Ok(end.filter(|end| end.length > 0).map(|end| end.last))
    }

    /// Up to `count` entries after `after`, oldest first.
    pub async fn after(&mut self, after: EntryId, count: usize) -> Result<Vec<HistoryEntry>, Trouble> {
        let stream = &self.settings.redis.stream;
        let entries = stream::oldest_first(&mut self.connection, stream, after, count).await.map_err(trouble)?;
        let value = |entry: &stream::Entry| entry.field("event").map(<[u8]>::to_vec);
        Ok(entries.iter().map(|entry| HistoryEntry { id: entry.id, event: value(entry) }).collect())
    }

    /// The time of the newest event of the predecessor.
    pub async fn newest(&mut self) -> Result<Option<Micros>, Trouble> {
        let ending = takeover::ending(&mut self.connection, &self.settings.redis.stream).await.map_err(trouble)?;
        Ok(ending.until)
    }

    /// Who else writes to the stream.
    pub async fn writer(&mut self) -> Result<Writer, Trouble> {
        if self.settings.redis.mirror == MirrorMode::On {
            return Ok(Writer::Gone);
        }
        let ending = takeover::ending(&mut self.connection, &self.settings.redis.stream).await.map_err(trouble)?;
        let systemctl = self.settings.systemctl.clone();
        let predecessor = tokio::task::spawn_blocking(move || takeover::predecessor(&systemctl))
            .await
            .map_err(|error| trouble(error.into()))?;
        let quiet = Quiet { stopped: self.settings.timing.quiet_stopped, unknown: self.settings.timing.quiet_unknown };
        Ok(match takeover::reason(&predecessor, &ending, quiet) {
            None => Writer::Gone,
            Some(why) => Writer::AtWork { why, soon: predecessor == Predecessor::Stopped },
        })
    }
}

/// Whether one of the predecessor's units runs on this machine. Blocks.
pub fn predecessor_runs(systemctl: &Path) -> Option<String> {
    match takeover::predecessor(&systemctl.to_path_buf()) {
        Predecessor::Runs(unit) => Some(unit),
        Predecessor::Stopped | Predecessor::Unknown => None,
    }
}

fn trouble(error: MirrorError) -> Trouble {
    Trouble { summary: error.summary(), remedy: error.remedy() }
}

/// How far the predecessor came with each unit, by all that it left in the stream.
pub(super) async fn places(connection: &mut Connection, key: &str) -> Result<Places, MirrorError> {
    let mut places = Places::default();
    let mut after = EntryId::default();
    let now = now();
    loop {
        let entries = stream::oldest_first(connection, key, after, CHUNK).await?;
        for entry in &entries {
            if let Ok(event) = history::read(entry.field("event"), now) {
                places.published(&event.unit, event.ts);
            }
        }
        match entries.last() {
            Some(entry) if entries.len() == CHUNK => after = entry.id,
            _ => return Ok(places),
        }
    }
}
