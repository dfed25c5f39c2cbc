//! Intent messages out of the outbox.
//!
//! Their wire format has no id (SPEC §4.3), so a message is known by its content: the very same one among the newest
//! entries of the stream is not sent again. That holds after a lost answer, after a crash before the position was saved,
//! and after the restore of an older data file, whose rules find the same intents again. Unlike the events' window, a
//! stream that was emptied is not filled again: consumers act on intents, and nobody wants last week's acted on twice.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::condition::MirrorError;
use super::connection::Connection;
use super::resp;
use super::stats::MirrorStats;
use super::stream::{self, EntryId, Landed};
use crate::store::{OutboxKind, Store};

/// The stream's rolling window.
const MAXLEN: &str = "10000";

/// Messages in one transaction.
const BATCH: usize = 200;

/// How far back a message is looked for.
const LOOK_BACK: usize = 1_000;

/// The mirror of the intents.
pub(super) struct Intents {
    pub(super) store: Arc<Store>,
    pub(super) stats: Arc<MirrorStats>,
    pub(super) key: String,
    pub(super) consumer: String,
    /// The newest outbox message that was sent.
    pub(super) sent: u64,
}

impl Intents {
    /// Sends what the outbox holds; whether the position moved on.
    pub(super) async fn send(&mut self, connection: &mut Connection) -> Result<bool, MirrorError> {
        let before = self.sent;
        loop {
            let (store, after) = (self.store.clone(), self.sent);
            let messages = tokio::task::spawn_blocking(move || store.outbox_after(after, BATCH)).await??;
            let Some(last) = messages.last().map(|message| message.seq) else { return Ok(self.sent > before) };
            let last_entry = stream::watch(connection, &self.key).await?.map_or(EntryId::default(), |end| end.last);
            let there = self.newest(connection).await?;
            let mut bytes = Vec::new();
            let mut commands = 0;
            let mut id = last_entry;
            stream::begin(&mut bytes);
            for message in messages.iter().filter(|message| message.kind == OutboxKind::Intent) {
                let Some(fields) = fields(message.payload.as_bytes()) else { continue };
                if !there.contains(&identity(fields.clone())) {
                    id = id.then(EntryId { ms: message.at.millis(), seq: message.seq });
                    self.pack(&mut bytes, id, fields);
                    commands += 1;
                }
            }
            if commands > 0 && matches!(stream::land(connection, &self.key, bytes, commands).await?, Landed::Not) {
                continue;
            }
            self.stats.add_intents_sent(commands as u64);
            self.sent = last;
        }
    }

    async fn newest(&self, connection: &mut Connection) -> Result<HashSet<String>, MirrorError> {
        let entries = stream::newest_first(connection, &self.key, None, EntryId::default(), LOOK_BACK).await?;
        Ok(entries.iter().filter_map(|entry| Some(identity(fields(entry.field("intent")?)?))).collect())
    }

    fn pack(&self, bytes: &mut Vec<u8>, id: EntryId, mut fields: Map<String, Value>) {
        fields.insert("consumer".into(), Value::String(self.consumer.clone()));
        let (id, json) = (id.to_string(), Value::Object(fields).to_string());
        let command: [&[u8]; 8] = [
            b"XADD",
            self.key.as_bytes(),
            b"MAXLEN",
            b"~",
            MAXLEN.as_bytes(),
            id.as_bytes(),
            b"intent",
            json.as_bytes(),
        ];
        resp::command(bytes, &command);
    }
}

impl Intents {
    /// What is left out when a predecessor wrote intents of its own until now.
    pub(super) fn skip_to(&mut self, message: u64) {
        self.sent = self.sent.max(message);
    }
}

fn fields(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json).ok()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// A message's content in one spelling, apart from who sends it: the consumer's name is configuration.
fn identity(mut fields: Map<String, Value>) -> String {
    fields.remove("consumer");
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_content() {
        let of = |json: &str| identity(fields(json.as_bytes()).expect("an object"));
        assert_eq!(of(r#"{"ts":1,"unit":"a","consumer":""}"#), of(r#"{"consumer":"host","unit":"a","ts":1}"#));
        assert_ne!(of(r#"{"ts":1,"unit":"a"}"#), of(r#"{"ts":2,"unit":"a"}"#));
        assert!(fields(b"[]").is_none() && fields(b"no").is_none());
    }
}
