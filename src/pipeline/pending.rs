//! What was taken in and is not committed yet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::publication::{NotPublished, Publication, PublicationKey, Reply};
use crate::domain::batch::EventBatch;
use crate::domain::feed::{Delivery, Gap, Position, Progress, PublishedIds};
use crate::domain::history::Places;
use crate::domain::id::EventId;
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::store::{self, Store, StoreError, WriteTxn};

/// A batch is committed at this many events at the latest: four blocks.
const MAX_EVENTS: usize = 4 * 4_096;

/// Or at this much text.
const MAX_TEXT: usize = 8 << 20;

#[derive(Default)]
pub(super) struct Pending {
    pub(super) events: EventBatch,
    pub(super) position: Option<Position>,
    pub(super) gaps: Vec<Gap>,
    pub(super) places: Option<Places>,
    pub(super) progress: Progress,
    pub(super) since: Option<Instant>,
    /// The source has just caught up: what is here is the end of a long run, and more comes only as it is written.
    arrived: bool,
    published: Vec<Published>,
    /// Which of `published` has a key.
    keys: HashMap<RequestKey, usize>,
}

/// A publication among the events.
struct Published {
    /// Where its events begin.
    start: usize,
    count: u32,
    key: Option<PublicationKey>,
    /// Several, when the same was sent again before it was stored.
    replies: Vec<Reply>,
}

impl Pending {
    /// Takes a delivery of the source in.
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        if !delivery.events.is_empty() && self.since.is_none() {
            self.since = Some(Instant::now());
        }
        self.append(delivery.events);
        if delivery.position.is_some() {
            self.position = delivery.position;
            self.since.get_or_insert_with(Instant::now);
        }
        self.gaps.extend(delivery.gaps);
        if delivery.places.is_some() {
            self.places = delivery.places;
        }
        self.arrived |=
            matches!(self.progress, Progress::Until(_)) && matches!(delivery.progress, Progress::CaughtUp(_));
        self.progress = delivery.progress;
    }

    /// Takes a publication in, or answers it at once: by what is stored under its key, or by a refusal. The journal's
    /// position and progress are none of its business.
    pub(super) fn publish(&mut self, publication: Publication, store: &Store, now: Micros) {
        if publication.is_given_up() {
            return;
        }
        let Publication { events, key, reply } = publication;
        if let Some(wanted) = &key {
            if let Some(had) = self.keys.get(&wanted.key).and_then(|at| self.published.get_mut(*at)) {
                if had.key.as_ref() == Some(wanted) {
                    had.replies.push(reply);
                } else {
                    reply.send(Err(NotPublished::KeyUsed));
                }
                return;
            }
            // Only the pipeline writes these rows, so nobody does between this look and the commit.
            match store.publication(&wanted.key, now) {
                Ok(None) => {}
                Ok(Some(row)) if row.body == wanted.body => return reply.send(Ok(row.ids())),
                Ok(Some(_)) => return reply.send(Err(NotPublished::KeyUsed)),
                Err(error) => return reply.send(Err(error.into())),
            }
            self.keys.insert(wanted.key.clone(), self.published.len());
        }
        self.since.get_or_insert_with(Instant::now);
        let (start, count) = (self.events.len(), u32::try_from(events.len()).unwrap_or(u32::MAX));
        self.append(events);
        self.published.push(Published { start, count, key, replies: vec![reply] });
    }

    fn append(&mut self, events: EventBatch) {
        if self.events.is_empty() {
            self.events = events;
        } else {
            self.events.append(&events);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.position.is_none()
    }

    /// Whether it is to be committed now.
    pub(super) fn is_due(&self, interval: Duration) -> bool {
        self.arrived
            || self.events.len() >= MAX_EVENTS
            || self.events.text_bytes() >= MAX_TEXT
            || self.since.is_some_and(|since| since.elapsed() >= interval)
    }

    /// From here on it is being committed.
    pub(super) fn begin(&mut self) {
        self.arrived = false;
    }

    /// Writes down which keys its events were published under; they are numbered by now.
    pub(super) fn put_keys(&self, txn: &WriteTxn, now: Micros) -> Result<(), StoreError> {
        for published in &self.published {
            let Some(PublicationKey { key, body }) = &published.key else { continue };
            let PublishedIds { first, count } = self.ids(published);
            txn.put_publication(key, &store::Publication { body: *body, first, count }, now)?;
        }
        Ok(())
    }

    fn ids(&self, published: &Published) -> PublishedIds {
        let first = self.events.get(published.start).map_or(EventId::ZERO, |event| event.id);
        PublishedIds { first, count: published.count }
    }

    /// How many publications are in it.
    pub(super) fn publications(&self) -> u64 {
        self.published.len() as u64
    }

    /// It is stored: answers who waits for that, and makes room for the next.
    pub(super) fn committed(&mut self) {
        for published in std::mem::take(&mut self.published) {
            let ids = self.ids(&published);
            for reply in published.replies {
                reply.send(Ok(ids));
            }
        }
        self.keys.clear();
        self.events.clear();
        self.position = None;
        self.gaps.clear();
        self.places = None;
        self.since = None;
    }
}
