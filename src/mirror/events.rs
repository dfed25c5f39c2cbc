//! The feed's window in its stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::BatchSize;
use super::condition::MirrorError;
use super::connection::Connection;
use super::encode::{Encoder, Packed};
use super::place::{self, Own, Taken};
use super::stats::MirrorStats;
use super::stream::{self, EntryId, Landed};
use crate::domain::id::EventId;
use crate::store::Store;

/// Entries read at once while looking back.
const CHUNK: usize = 1_000;

/// Where the mirror stands in the stream.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The newest event that need not be sent.
    event: EventId,
    /// Its entry, where it has one.
    own: Option<EntryId>,
    /// The stream's largest id.
    last: EntryId,
}

/// Entries of others that were written since the mirror writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign {
    pub(super) entries: u64,
    pub(super) newest: EntryId,
    pub(super) seen: Instant,
}

/// The mirror of the events.
pub(super) struct Events {
    store: Arc<Store>,
    stats: Arc<MirrorStats>,
    key: String,
    maxlen: u64,
    /// What is known of the stream; `None` after any doubt.
    place: Option<Place>,
    encoder: Option<Encoder>,
    /// Whether entries that the store does not know were taken out of the stream. Once a connection: only a restart of
    /// ours (with another data file) or of Redis (with an older dump) brings such, and a second appliance on the same
    /// stream must not be fought over every entry.
    reconciled: bool,
    size: BatchSize,
    pub(super) foreign: Option<Foreign>,
    /// The feed's events up to the place, counted from the first ever.
    pub(super) sent: u64,
    /// Events that had been put in front of others when `sent` was counted.
    pub(super) backfilled: u64,
    /// Whether the stream was found without anything that it had: nothing of the predecessor's is in it any more.
    pub(super) emptied: bool,
}

impl Events {
    pub(super) fn new(store: Arc<Store>, stats: Arc<MirrorStats>, key: String, maxlen: u64, answer: Duration) -> Self {
        Self {
            store,
            stats,
            key,
            maxlen,
            place: None,
            encoder: None,
            reconciled: false,
            size: BatchSize::new(answer),
            foreign: None,
            sent: 0,
            backfilled: 0,
            emptied: false,
        }
    }

    /// A new connection: whatever was under way on the last one may have arrived or not.
    pub(super) fn doubt(&mut self) {
        self.place = None;
        self.encoder = None;
        self.reconciled = false;
    }

    /// The newest event that is in the stream for certain.
    pub(super) fn position(&self) -> Option<EventId> {
        self.place.map(|place| place.event)
    }

    /// Sends what is committed, until there is no more.
    pub(super) async fn send(
        &mut self,
        connection: &mut Connection,
        taken: &Taken,
        hint: EventId,
    ) -> Result<(), MirrorError> {
        let mut ready = None;
        self.look(connection, taken, hint).await?;
        loop {
            let Some(place) = self.place else {
                self.look(connection, taken, hint).await?;
                ready = None;
                continue;
            };
            let packed = match ready.take() {
                Some(packed) => packed,
                None => {
                    let fits = |known: &Encoder| known.after == place.event && known.last == place.last;
                    let encoder = match self.encoder.take().filter(fits) {
                        Some(encoder) => encoder,
                        None => {
                            let (store, key) = (self.store.clone(), &self.key);
                            let encoder = Encoder::new(store, key, self.maxlen, place.event, place.last);
                            if self.emptied { encoder } else { encoder.without(&taken.held) }
                        }
                    };
                    match self.pack(encoder).await? {
                        Some(packed) => packed,
                        None => return Ok(()),
                    }
                }
            };
            // The next run is packed while Redis carries out this one.
            let encoder = self.encoder.take();
            let most = self.size.most();
            let next = tokio::task::spawn_blocking(move || {
                let mut encoder = encoder?;
                let packed = encoder.next(most);
                Some((encoder, packed))
            });
            let Packed { bytes, events, newest, entry } = packed;
            let started = Instant::now();
            let landed = stream::land(connection, &self.key, bytes, events).await;
            let took = started.elapsed();
            let next = next.await?;
            if matches!(&landed, Err(error) if !error.is_refusal()) {
                self.size.lost(events);
            }
            match landed? {
                Landed::Whole(end) => {
                    crate::failpoint!("mirror.events.sent");
                    self.stats.add_events_sent(events as u64);
                    self.sent += events as u64;
                    self.size.landed(events, took);
                    self.place = Some(Place { event: newest, own: Some(entry), last: entry });
                    if end.is_some_and(|end| end.last == entry && end.length > 0) {
                        if let Some((encoder, packed)) = next {
                            self.encoder = Some(encoder);
                            ready = packed?;
                            if ready.is_none() {
                                // What was committed in the meantime wakes the mirror again.
                                return Ok(());
                            }
                        }
                    } else {
                        self.look(connection, taken, hint).await?;
                    }
                }
                Landed::Not => {
                    self.size.contended();
                    self.look(connection, taken, hint).await?;
                }
            }
        }
    }

    async fn pack(&mut self, mut encoder: Encoder) -> Result<Option<Packed>, MirrorError> {
        let most = self.size.most();
        let (encoder, packed) = tokio::task::spawn_blocking(move || {
            let packed = encoder.next(most);
            (encoder, packed)
        })
        .await?;
        self.encoder = Some(encoder);
        Ok(packed?)
    }

    /// Watches the stream and makes sure of the place in it.
    async fn look(&mut self, connection: &mut Connection, taken: &Taken, hint: EventId) -> Result<(), MirrorError> {
        loop {
            let end = stream::watch(connection, &self.key).await?;
            let last = end.map_or(EntryId::default(), |end| end.last);
            match (self.place, end) {
                (Some(place), Some(end)) if end.last == place.last && end.length > 0 => return Ok(()),
                (Some(place), Some(end))
                    if end.last > place.last
                        && end.length > 0
                        && self.only_foreign(connection, place, end.last).await? =>
                {
                    return Ok(());
                }
                (Some(Place { own: None, last: before, .. }), _) if before == last => return Ok(()),
                _ => {}
            }
            self.place = None;
            self.encoder = None;
            if let Some(own) = self.find(connection).await? {
                return self
                    .stand(
                        own.map(|own| (own.event, own.entry)),
                        end.is_some_and(|end| end.length > 0),
                        last,
                        taken,
                        hint,
                    )
                    .await;
            }
        }
    }

    /// Whether what was written behind our place is somebody else's, and our place still is what it was.
    async fn only_foreign(
        &mut self,
        connection: &mut Connection,
        place: Place,
        last: EntryId,
    ) -> Result<bool, MirrorError> {
        let mut from = None;
        let mut foreign = 0;
        loop {
            let entries = stream::newest_first(connection, &self.key, from, place.last.next(), CHUNK).await?;
            if entries.iter().any(|entry| Own::of(entry).is_some()) {
                return Ok(false);
            }
            foreign += entries.len() as u64;
            match entries.last() {
                Some(entry) if entries.len() == CHUNK => from = Some(entry.id.previous()),
                _ => break,
            }
        }
        if let Some(own) = place.own
            && stream::newest_first(connection, &self.key, Some(own), own, 1).await?.is_empty()
        {
            return Ok(false);
        }
        self.place = Some(Place { last, ..place });
        self.encoder = None;
        if foreign > 0 {
            self.stats.add_foreign_entries(foreign);
            let entries = self.foreign.map_or(0, |seen| seen.entries) + foreign;
            self.foreign = Some(Foreign { entries, newest: last, seen: Instant::now() });
        }
        Ok(true)
    }

    /// The newest entry that is the store's. `None` when entries had to be removed, after which the end must be looked
    /// at again.
    async fn find(&mut self, connection: &mut Connection) -> Result<Option<Option<Own>>, MirrorError> {
        let mut from = None;
        let mut unknown = Vec::new();
        let mut found = None;
        // Nearly always it is the very last one.
        let mut count = 10;
        loop {
            let entries = stream::newest_first(connection, &self.key, from, EntryId::default(), count).await?;
            let own: Vec<Own> = entries.iter().filter_map(Own::of).collect();
            let store = self.store.clone();
            let (known, mut own) =
                tokio::task::spawn_blocking(move || Ok::<_, MirrorError>((place::known(&store, &own)?, own))).await??;
            match known.iter().position(|known| *known) {
                Some(at) => {
                    found = Some(own.swap_remove(at));
                    // swap_remove moved the last one to `at`; what counts are those before it.
                    unknown.extend(own.iter().take(at).map(|own| own.entry));
                    break;
                }
                None => unknown.extend(own.iter().map(|own| own.entry)),
            }
            match entries.last() {
                Some(entry) if entries.len() == count => from = Some(entry.id.previous()),
                _ => break,
            }
            count = CHUNK;
        }
        if self.reconciled || unknown.is_empty() {
            self.reconciled = true;
            return Ok(Some(found));
        }
        tracing::warn!(
            entries = unknown.len(),
            stream = self.key,
            "the stream holds events that the data file does not know, as after the restore of an older one: they are \
             removed, programs may have read them, and those that are read from the journal again come under new ids"
        );
        stream::remove(connection, &self.key, &unknown).await?;
        self.stats.add_entries_removed(unknown.len() as u64);
        self.reconciled = true;
        Ok(None)
    }

    /// Takes its stand: behind the newest own entry, at the takeover, or at the start of the window.
    async fn stand(
        &mut self,
        own: Option<(EventId, EntryId)>,
        filled: bool,
        last: EntryId,
        taken: &Taken,
        hint: EventId,
    ) -> Result<(), MirrorError> {
        // Without any entry of ours the stream was emptied, except just after a takeover.
        let begin = if filled && hint <= taken.from { taken.from } else { EventId::ZERO };
        self.emptied |= own.is_none() && begin < taken.from;
        let (store, maxlen) = (self.store.clone(), self.maxlen);
        self.backfilled = self.store.committed().borrow().backfilled;
        let (event, sent) = tokio::task::spawn_blocking(move || {
            let window = store.window_start(maxlen)?;
            let event = own.map_or(begin, |(event, _)| event).max(window);
            Ok::<_, MirrorError>((event, place::ordinal(&store, event)?))
        })
        .await??;
        self.sent = sent;
        self.place = Some(Place { event, own: own.map(|(_, entry)| entry), last });
        Ok(())
    }
}
