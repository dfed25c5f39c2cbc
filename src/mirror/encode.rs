use std::collections::BTreeMap;
use std::sync::Arc;

use super::resp;
use super::stream::{self, EntryId};
use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, MESSAGE_MIRRORED_CHARS};
use crate::domain::id::EventId;
use crate::store::{Store, StoreError};

/// What one transaction of Redis takes at most: it is carried out in one go, and others wait that long.
const MAX_EVENTS: usize = 2_000;
const MAX_BYTES: usize = 1 << 20;

/// A packed run of events, begun with `MULTI`.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) events: usize,
    /// The newest event in it.
    pub(super) newest: EventId,
    /// The id of that event's entry.
    pub(super) entry: EntryId,
}

/// Packs the store's events for the stream, on a blocking thread while the run before is under way.
pub(super) struct Encoder {
    store: Arc<Store>,
    /// An XADD up to the entry's id.
    head: Vec<u8>,
    /// What was read ahead: whole blocks come out of the store.
    read: EventBatch,
    at: usize,
    /// The newest event packed.
    pub(super) after: EventId,
    /// The stream's end with what is packed.
    pub(super) last: EntryId,
    json: Vec<u8>,
    id: Vec<u8>,
    /// Events that the predecessor had sent: up to which one, by unit.
    held: BTreeMap<String, EventId>,
}

impl Encoder {
    pub(super) fn new(store: Arc<Store>, key: &str, maxlen: u64, after: EventId, last: EntryId) -> Self {
        let mut head = b"*8\r\n".to_vec();
        for argument in [b"XADD", key.as_bytes(), b"MAXLEN", b"~", maxlen.to_string().as_bytes()] {
            resp::bulk(&mut head, argument);
        }
        Self {
            store,
            head,
            read: EventBatch::new(),
            at: 0,
            after,
            last,
            json: Vec::new(),
            id: Vec::new(),
            held: BTreeMap::new(),
        }
    }

    /// The same, leaving out what the predecessor had sent.
    pub(super) fn without(mut self, held: &BTreeMap<String, EventId>) -> Self {
        self.held.clone_from(held);
        self
    }

    /// The next run, of at most `most` events; `None` when there is nothing to send.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Packed>, StoreError> {
        let mut bytes = Vec::new();
        let mut events = 0;
        while events < most.min(MAX_EVENTS) && bytes.len() < MAX_BYTES {
            let Some(event) = self.read.get(self.at) else {
                self.read = self.store.events_after(self.after, 1)?;
                self.at = 0;
                if self.read.is_empty() {
                    break;
                }
                continue;
            };
            if self.held.get(event.unit).is_some_and(|upto| event.id <= *upto) {
                self.after = event.id;
                self.at += 1;
                continue;
            }
            if events == 0 {
                bytes.reserve(MAX_BYTES / 8);
                stream::begin(&mut bytes);
            }
            self.last = self.last.then(event.id.into());
            self.after = event.id;
            write_json(&mut self.json, event);
            self.id.clear();
            resp::decimal(&mut self.id, self.last.ms);
            self.id.push(b'-');
            resp::decimal(&mut self.id, self.last.seq);
            bytes.extend_from_slice(&self.head);
            resp::bulk(&mut bytes, &self.id);
            bytes.extend_from_slice(b"$5\r\nevent\r\n");
            resp::bulk(&mut bytes, &self.json);
            self.at += 1;
            events += 1;
        }
        Ok((events > 0).then_some(Packed { bytes, events, newest: self.after, entry: self.last }))
    }
}

fn write_json(json: &mut Vec<u8>, event: EventRef<'_>) {
    json.clear();
    if serde_json::to_writer(&mut *json, &event.json(MESSAGE_MIRRORED_CHARS)).is_err() {
        // Only free fields that are not JSON can fail; the event itself goes out without them.
        json.clear();
        let event = EventRef { fields: None, ..event };
        let _ = serde_json::to_writer(&mut *json, &event.json(MESSAGE_MIRRORED_CHARS));
    }
}
