//! The event bus: messages of the outbox as entries of one stream an event type.
//!
//! Each entry carries an `id` ([`crate::domain::bus::message_id`]). A message whose id stands among the newest entries of
//! its stream is not sent again, which holds after a lost answer and after a death before the position was saved; whoever
//! reads an id twice all the same (Redis came back with an older dump, say) knows it for a repeat. As with intents, a
//! stream that was emptied is not filled again.
//!
//! Messages go out in the order in which they were committed, over all types, one after the other. A stream that does not
//! take its message (its key holds something else, this user may not write to it) holds up its own type alone: within a
//! type nothing overtakes, the other types go on, and what was held up follows when the stream is repaired.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Trouble;
use super::condition::MirrorError;
use super::connection::Connection;
use super::resp;
use super::stats::MirrorStats;
use super::stream::{self, EntryId, Landed};
use crate::domain::bus::BusEvent;
use crate::domain::id::EventId;
use crate::store::{FollowerPosition, OutboxKind, OutboxMessage, Store, StoreError};

/// The follower's name in the store.
const FOLLOWER: &str = "redis-bus";

/// What every stream's name begins with.
const PREFIX: &str = "quantum:stream:";

/// Each stream's rolling window.
const MAXLEN: &str = "10000";

/// As the predecessor's service called itself on the bus, and as its consumer groups are called.
const SOURCE: &str = "clm_service";

/// Messages between two saves of the position: a crash puts so many in doubt.
const BATCH: usize = 100;

/// How far back a message in doubt is looked for: further than a batch, as others may write to the stream too.
const LOOK_BACK: usize = 1_000;

/// The mirror of the bus.
pub(super) struct Bus {
    store: Arc<Store>,
    stats: Arc<MirrorStats>,
    /// How long a type that is held up waits until it is tried again.
    pause: Duration,
    /// Up to here every message was looked at: it is sent, or of a type that is held up.
    seen: u64,
    held: BTreeMap<String, Held>,
    /// How each stream ended when we last wrote to it, on this connection: then nothing there is in doubt.
    ends: HashMap<String, EntryId>,
    /// The position as the store has it; `None` before it was read.
    saved: Option<FollowerPosition>,
}

/// A type whose stream does not take its messages.
#[derive(Debug)]
struct Held {
    /// The first message that is not sent.
    first: u64,
    trouble: Trouble,
}

/// What the position remembers besides the oldest message that is not sent.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    seen: u64,
    /// The first message of each type that is held up.
    #[serde(default)]
    held: BTreeMap<String, u64>,
}

impl Bus {
    pub(super) fn new(store: Arc<Store>, stats: Arc<MirrorStats>, pause: Duration) -> Self {
        Self { store, stats, pause, seen: 0, held: BTreeMap::new(), ends: HashMap::new(), saved: None }
    }

    /// A new connection: whatever was under way on the last one may have arrived or not.
    pub(super) fn doubt(&mut self) {
        self.ends.clear();
        let now = Instant::now();
        self.held.values_mut().for_each(|held| held.trouble.again = now);
    }

    /// Reads where it stands, the first time. From then on the store keeps what is not sent.
    pub(super) async fn load(&mut self) -> Result<(), MirrorError> {
        if self.saved.is_some() {
            return Ok(());
        }
        let store = self.store.clone();
        let saved = tokio::task::spawn_blocking(move || store.follower(FOLLOWER)).await??;
        let note: Note = serde_json::from_str(&saved.note).unwrap_or_default();
        self.seen = note.seen.max(saved.outbox);
        let unknown = || Trouble { summary: String::new(), remedy: String::new(), again: Instant::now() };
        let held = note.held.into_iter().map(|(name, first)| (name, Held { first, trouble: unknown() }));
        self.held = held.collect();
        self.saved = Some(saved);
        // Also where nothing was sent yet: retention asks the followers that it knows.
        self.save().await.map_err(MirrorError::from)
    }

    /// Sends what the outbox holds.
    pub(super) async fn send(&mut self, connection: &mut Connection) -> Result<(), MirrorError> {
        let now = Instant::now();
        let due = self.held.iter().filter(|(_, held)| held.trouble.again <= now);
        let mut due: BTreeSet<String> = due.map(|(name, _)| name.clone()).collect();
        let first_due = due.iter().filter_map(|name| Some(self.held.get(name)?.first.saturating_sub(1))).min();
        let mut after = first_due.unwrap_or(self.seen).min(self.seen);
        loop {
            let store = self.store.clone();
            let messages = tokio::task::spawn_blocking(move || store.outbox_after(after, BATCH)).await??;
            let Some(last) = messages.last().map(|message| message.seq) else { break };
            after = last;
            let mut moved = false;
            for message in messages {
                moved |= self.pass(connection, &message, &mut due).await?;
            }
            if moved {
                crate::failpoint!("mirror.bus.sent");
                // A full disk is the store's news; what is sent again after a crash is looked for in the streams.
                let _ = self.save().await;
            }
        }
        // What was due and is not held up anew has caught up.
        self.held.retain(|name, _| !due.contains(name));
        Ok(())
    }

    /// Sends one message, unless it is sent or held up; whether that changed the position for more than having seen it.
    async fn pass(
        &mut self,
        connection: &mut Connection,
        message: &OutboxMessage,
        due: &mut BTreeSet<String>,
    ) -> Result<bool, MirrorError> {
        let seen = self.seen;
        let Some(event) = event(message) else {
            self.seen = seen.max(message.seq);
            return Ok(false);
        };
        let name = event.event_type.as_str();
        let waits = match self.held.get(name) {
            Some(held) => due.contains(name) && message.seq >= held.first,
            None => message.seq > seen,
        };
        if !waits {
            self.seen = seen.max(message.seq);
            return Ok(false);
        }
        match self.append(connection, message, &event).await {
            Ok(()) => {
                if let Some(held) = self.held.get_mut(name) {
                    held.first = message.seq + 1;
                }
            }
            Err(error) if error.is_of_one_key() => {
                self.stats.add_errors(1);
                let summary = format!("{PREFIX}{name}: {}", error.summary());
                let again = Instant::now() + self.pause;
                let trouble = Trouble { summary, remedy: error.remedy(), again };
                self.held.insert(name.to_owned(), Held { first: message.seq, trouble });
                due.remove(name);
            }
            Err(error) => return Err(error),
        }
        self.seen = seen.max(message.seq);
        Ok(true)
    }

    /// Appends one message to its stream, unless it stands there.
    async fn append(
        &mut self,
        connection: &mut Connection,
        message: &OutboxMessage,
        event: &BusEvent,
    ) -> Result<(), MirrorError> {
        let key = format!("{PREFIX}{}", event.event_type);
        let id = message.id();
        loop {
            let end = stream::watch(connection, &key).await?;
            let last = end.map_or(EntryId::default(), |end| end.last);
            if self.ends.get(&key) != Some(&last) {
                let newest = stream::newest_first(connection, &key, None, EntryId::default(), LOOK_BACK).await?;
                if newest.iter().any(|entry| entry.field("id") == Some(id.as_bytes())) {
                    // The next one of the type may stand there just as well: it is looked for in its turn.
                    return Ok(());
                }
            }
            let entry = last.then(EntryId { ms: message.at.millis(), seq: message.seq });
            let mut bytes = Vec::new();
            stream::begin(&mut bytes);
            pack(&mut bytes, &key, entry, &id, event);
            match stream::land(connection, &key, bytes, 1).await? {
                Landed::Whole(_) => {
                    self.stats.add_bus_events_sent(1);
                    self.ends.insert(key, entry);
                    return Ok(());
                }
                Landed::Not => {
                    self.ends.remove(&key);
                }
            }
        }
    }

    /// The first of the types that are held up, and why.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.held.values().map(|held| &held.trouble).find(|trouble| !trouble.summary.is_empty())
    }

    /// How many events wait. Cheap where none does.
    pub(super) async fn waiting(&self) -> Result<u64, MirrorError> {
        if self.held.is_empty() && self.store.committed().borrow().outbox <= self.seen {
            return Ok(0);
        }
        let (store, seen, from) = (self.store.clone(), self.seen, self.unsent());
        let held: BTreeMap<String, u64> = self.held.iter().map(|(name, held)| (name.clone(), held.first)).collect();
        let wanted = move |message: &OutboxMessage| {
            event(message).is_some_and(|event| match held.get(&event.event_type) {
                Some(first) => message.seq >= *first,
                None => message.seq > seen,
            })
        };
        Ok(tokio::task::spawn_blocking(move || store.outbox_waiting(from, wanted)).await??)
    }

    /// Up to here everything is sent.
    fn unsent(&self) -> u64 {
        self.held.values().map(|held| held.first.saturating_sub(1)).min().unwrap_or(self.seen).min(self.seen)
    }

    /// Saves the position, if it moved on.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        let Some(saved) = &self.saved else { return Ok(()) };
        let held = self.held.iter().map(|(name, held)| (name.clone(), held.first)).collect();
        let note = serde_json::to_string(&Note { seen: self.seen, held }).unwrap_or_default();
        let position = FollowerPosition { event: EventId::ZERO, outbox: self.unsent(), note };
        if position == *saved {
            return Ok(());
        }
        let (store, row) = (self.store.clone(), position.clone());
        let saving = move || store.write::<_, StoreError>(|txn| txn.put_follower(FOLLOWER, &row));
        match tokio::task::spawn_blocking(saving).await {
            Ok(result) => result?,
            Err(error) => return Err(StoreError::Panicked(error.to_string())),
        }
        crate::failpoint!("mirror.bus.saved");
        self.saved = Some(position);
        Ok(())
    }
}

/// What a message says, where it is for the bus. One that cannot be read is nobody's: it would hold up all others.
fn event(message: &OutboxMessage) -> Option<BusEvent> {
    match message.kind {
        OutboxKind::Bus => serde_json::from_str(&message.payload).ok(),
        OutboxKind::Intent => None,
    }
}

fn pack(bytes: &mut Vec<u8>, key: &str, entry: EntryId, id: &str, event: &BusEvent) {
    let (entry, payload) = (entry.to_string(), event.payload.to_string());
    let mut command: Vec<&[u8]> = vec![b"XADD", key.as_bytes(), b"MAXLEN", b"~", MAXLEN.as_bytes(), entry.as_bytes()];
    for (field, value) in [
        ("event_type", event.event_type.as_str()),
        ("payload", &payload),
        ("trace_id", ""),
        ("correlation_id", &event.correlation_id),
        ("timestamp", &event.timestamp),
        ("source", SOURCE),
        ("id", id),
    ] {
        command.extend([field.as_bytes(), value.as_bytes()]);
    }
    resp::command(bytes, &command);
}
