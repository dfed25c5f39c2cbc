//! Events from before the store's own: the predecessor's, put in front of everything that was stored since.

use std::collections::{BTreeMap, HashMap};

use redb::ReadableTable;

use super::block::{self, Block, Header};
use super::codec::{self, records};
use super::schema::{HEADERS, META, TAIL};
use super::{ReadTxn, Store, StoreError, WriteTxn, feed, query};
use crate::domain::batch::EventBatch;
use crate::domain::bus_in::EntryId;
use crate::domain::event::EventRef;
use crate::domain::history::Places;
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// The row of [`META`] that says how far a history was taken in.
pub(super) const HISTORY: &str = "history";

/// How far a history was taken in. It commits with the events that it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FeedHistory {
    /// The Redis that it comes from.
    pub server: String,
    /// The stream there.
    pub stream: String,
    /// The last entry of it that was looked at.
    pub upto: EntryId,
    /// The oldest event that was taken from it.
    pub first: Option<EventId>,
    /// The newest event that was ever taken from a history.
    pub last: EventId,
    /// Entries that were looked at.
    pub entries: u64,
    /// Events that were taken.
    pub taken: u64,
    /// Entries that were left, by the word for the reason.
    pub left: BTreeMap<String, u64>,
    /// The first odd ones of those: entry, and why.
    pub odd: Vec<(EntryId, String)>,
    /// Lines that the journal will give and that are taken already. Empty where the store read the journal first.
    pub places: Places,
    /// Whether the store was empty when it began, so that the journal begins where the history ends.
    pub leads: bool,
    /// When it began.
    pub started: Micros,
    /// When its end was reached.
    pub finished: Option<Micros>,
}

records! { FeedHistory = 1, "history of the feed"; }

impl Store {
    /// How far a history was taken in, if one was.
    pub fn feed_history(&self) -> Result<Option<FeedHistory>, StoreError> {
        self.read(|ReadTxn { txn }| {
            txn.open_table(META)?.get(HISTORY)?.map(|row| codec::decode(row.value())).transpose()
        })
    }

    /// How many events of each unit and instant the store holds, of those at or after `from` that happened between the two
    /// instants, which count as well.
    pub fn lines_between(
        &self,
        from: EventId,
        since: Micros,
        until: Micros,
    ) -> Result<HashMap<(String, Micros), u32>, StoreError> {
        let mut lines: HashMap<(String, Micros), u32> = HashMap::new();
        let mut add = |event: EventRef<'_>| {
            if event.id >= from && event.ts >= since && event.ts <= until {
                *lines.entry((event.unit.to_owned(), event.ts)).or_default() += 1;
            }
        };
        let overlaps = |header: &Header| header.last >= from && header.ts_max >= since && header.ts_min <= until;
        self.read(|ReadTxn { txn }| {
            for row in txn.open_table(HEADERS)?.iter()? {
                let header: Header = codec::decode(row?.1.value())?;
                if overlaps(&header) {
                    Block::open(&query::block_bytes(txn, header.first)?)?.iter().for_each(&mut add);
                }
            }
            for row in txn.open_table(TAIL)?.range(..feed::FEED)? {
                let (_, value) = row?;
                let (header, bytes) = feed::split_tail(value.value())?;
                if overlaps(&header) {
                    Block::open(bytes)?.iter().for_each(&mut add);
                }
            }
            Ok(())
        })?;
        Ok(lines)
    }
}

impl WriteTxn {
    /// How far a history was taken in, as this transaction sees it.
    pub fn feed_history(&self) -> Result<Option<FeedHistory>, StoreError> {
        self.txn.open_table(META)?.get(HISTORY)?.map(|row| codec::decode(row.value())).transpose()
    }

    /// Remembers how far a history was taken in.
    pub fn put_feed_history(&self, history: &FeedHistory) -> Result<(), StoreError> {
        self.txn.open_table(META)?.insert(HISTORY, codec::encode(history)?.as_slice())?;
        Ok(())
    }

    /// What of the journal is still to be passed over: it commits with the position behind which that holds.
    pub fn put_places(&self, places: &Places) -> Result<(), StoreError> {
        match self.feed_history()? {
            Some(history) => self.put_feed_history(&FeedHistory { places: places.clone(), ..history }),
            None => Ok(()),
        }
    }

    /// Where the events after `id` begin: none of them is before the one that this gives.
    pub fn first_after(&self, id: EventId) -> Result<Option<EventId>, StoreError> {
        let headers = self.txn.open_table(HEADERS)?;
        let tail = self.txn.open_table(TAIL)?;
        // The block, or the run of the tail, that begins at or before `id` may go on beyond it.
        let block = match headers.range(..=id.0)?.next_back() {
            Some(row) => codec::decode::<Header>(row?.1.value())?.last > id,
            None => false,
        };
        let run = match tail.range(..id.next().0)?.next_back() {
            Some(row) => feed::split_tail(row?.1.value())?.0.last > id,
            None => false,
        };
        if block || run {
            return Ok(Some(id.next()));
        }
        if let Some(row) = headers.range(id.next().0..)?.next() {
            return Ok(Some(EventId(row?.0.value())));
        }
        Ok(tail.range(id.next().0..feed::FEED)?.next().transpose()?.map(|(first, _)| EventId(first.value())))
    }

    /// Stores events that have their ids already, in order and all in one stretch without an event between them: as
    /// blocks, counted, and folded by no rule.
    pub fn backfill(&self, events: &EventBatch) -> Result<(), StoreError> {
        let ends = (events.get(0), events.len().checked_sub(1).and_then(|at| events.get(at)));
        let (Some(first), Some(last)) = ends else { return Ok(()) };
        let before = EventId(first.id.0.saturating_sub(1));
        if self.first_after(before)?.is_some_and(|next| next <= last.id) {
            return Err(StoreError::Unwritable {
                what: "history",
                why: format!("events between {} and {} are stored already", first.id, last.id),
            });
        }
        self.note_changed_counters(events);
        let mut block = EventBatch::new();
        let mut bytes = 0;
        for event in events.iter() {
            block.push(event);
            if block.len() >= block::MAX_EVENTS || block.text_bytes() >= block::MAX_TEXT {
                bytes += self.insert_block(&block)?;
                self.count_block(&block)?;
                block.clear();
            }
        }
        if !block.is_empty() {
            bytes += self.insert_block(&block)?;
            self.count_block(&block)?;
        }
        let mut tip = self.tip.borrow_mut();
        let count = events.len() as u64;
        tip.feed.block_bytes += bytes;
        tip.feed.events += count;
        tip.feed.kept += count;
        if last.id > tip.feed.last {
            // Nothing else is stored yet: what comes goes on from here.
            tip.feed.last = last.id;
        } else {
            tip.backfilled += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Level;
    use crate::store::{CounterFilter, EventFilter};

    fn batch(lines: impl IntoIterator<Item = (EventId, u64)>) -> EventBatch {
        let mut batch = EventBatch::new();
        for (id, ts) in lines {
            batch.push(EventRef {
                id,
                ts: Micros(ts),
                unit: "u.service",
                source: "unknown",
                host: "h",
                level: Level::ERROR,
                message: "m",
                symbol: None,
                correlation_id: Some("c"),
                decision: None,
                confidence: None,
                fields: None,
            });
        }
        batch
    }

    fn ids(store: &Store) -> Vec<u64> {
        let (mut all, mut after) = (Vec::new(), EventId::ZERO);
        loop {
            let events = store.events_after(after, 1).unwrap();
            let Some(last) = events.iter().next_back() else { return all };
            after = last.id;
            all.extend(events.iter().map(|event| event.id.ms()));
        }
    }

    /// Own events, then a history of more than a block in front of them: order, paging, counters, search, sums.
    #[test]
    fn in_front_of_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("d.redb")).unwrap();
        let own = batch((0..10).map(|n| (EventId::new(20_000 + n, 0), 7_200_000_000)));
        store.write::<_, StoreError>(|txn| txn.append(&own)).unwrap();
        for from in [1_000, 6_000] {
            let history = batch((from..from + 5_000).map(|n| (EventId::new(n, 0), 3_600_000_000 + n)));
            store.write::<_, StoreError>(|txn| txn.backfill(&history)).unwrap();
        }
        let expected: Vec<u64> = (1_000..11_000).chain(20_000..20_010).collect();
        assert_eq!(ids(&store), expected);
        let feed = store.feed();
        assert_eq!((feed.events, feed.kept, feed.last, feed.commits), (10_010, 10_010, EventId::new(20_009, 0), 0));
        let counters = store.counters(&CounterFilter::default(), 100).unwrap();
        let counts: Vec<_> = counters.iter().map(|counter| (counter.hour.0, counter.count)).collect();
        assert_eq!(counts, [(1, 10_000), (1, 10_000), (2, 10), (2, 10)]);
        let filter = EventFilter { correlation_id: Some("c".into()), ..EventFilter::default() };
        assert_eq!(store.search(&filter, EventId::new(1_010, 0), 100, 8).unwrap().events.len(), 10);
        assert_eq!(store.committed().borrow().backfilled, 10_000);
        let lines = store.lines_between(EventId::new(20_000, 0), Micros(0), Micros(u64::MAX)).unwrap();
        assert_eq!(lines, HashMap::from([(("u.service".to_owned(), Micros(7_200_000_000)), 10)]));

        // Nothing goes between events, and nothing is there twice.
        for at in [1_000, 10_999, 20_000, 20_009] {
            let again = batch([(EventId::new(at, 0), 1)]);
            assert!(store.write::<_, StoreError>(|txn| txn.backfill(&again)).is_err(), "{at}");
        }
        let wide = batch([(EventId::new(15_000, 0), 1), (EventId::new(30_000, 0), 1)]);
        assert!(store.write::<_, StoreError>(|txn| txn.backfill(&wide)).is_err());
        assert_eq!(ids(&store), expected);
    }

    #[test]
    fn into_an_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.redb");
        let store = Store::open(&path).unwrap();
        let history = batch((1..=10).map(|n| (EventId::new(n, 0), n)));
        let row = FeedHistory { last: EventId::new(10, 0), upto: EntryId { ms: 10, seq: 0 }, ..FeedHistory::default() };
        store
            .write::<_, StoreError>(|txn| {
                assert_eq!(txn.first_after(EventId::ZERO)?, None);
                txn.backfill(&history)?;
                txn.put_feed_history(&row)
            })
            .unwrap();
        store
            .write::<_, StoreError>(|txn| {
                let mut own = batch([(EventId::ZERO, 11)]);
                own.number(txn.feed().last.first_at(Micros(0)));
                txn.append(&own)?;
                assert_eq!(txn.first_after(EventId::new(3, 0))?, Some(EventId::new(3, 1)));
                assert_eq!(txn.first_after(EventId::new(10, 0))?, Some(EventId::new(10, 1)));
                Ok(())
            })
            .unwrap();
        assert_eq!(store.committed().borrow().backfilled, 0, "nothing was there that it could go in front of");
        store.close();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.feed_history().unwrap(), Some(row));
        assert_eq!(store.feed().last, EventId::new(10, 1));
    }
}
