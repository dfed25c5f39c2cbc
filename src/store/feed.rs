//! The feed's side of a transaction: events into the tail and into blocks, the journal's position, ticks and gaps.

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::block::{self, Block, Header};
use super::codec::{self, records};
use super::schema::{BLOCKS, CORRELATION, GAPS, HEADERS, TAIL, TICKS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::batch::EventBatch;
use crate::domain::event::EventRef;
use crate::domain::feed::{Gap, Position};
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// Where the feed's state lies: under the last key of the tail's table. Every commit changes both, and each further page
/// that a commit touches is 4 to 8 KB more on the disk.
pub(super) const FEED: u64 = u64::MAX;

/// Parts of a block as large as this fill redb's pages, whose sizes are powers of two, with little waste.
const PART_BYTES: usize = 16_200;

/// Small commits that gather before they are merged into one run of the tail.
const TAIL_RUNS: u64 = 64;

/// The one row that every commit of events changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct FeedState {
    /// The newest event ever stored; ids go on from here even when all events are gone.
    pub last: EventId,
    /// Events ever stored.
    pub events: u64,
    /// Commits of the pipeline, so that one whose answer was lost can be told from one that failed.
    pub commits: u64,
    /// Where the journal stands.
    pub position: Option<Position>,
    /// The newest tick.
    pub tick: Option<Micros>,
    /// Compressed bytes of all blocks.
    pub block_bytes: u64,
    /// Events in all blocks and in the tail.
    pub kept: u64,
}

/// The feed's state, and what the tail holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Tip {
    pub(super) feed: FeedState,
    pub(super) tail_events: usize,
    pub(super) tail_text: usize,
    pub(super) tail_runs: u64,
    /// Events that were put in front of others since the file was opened.
    pub(super) backfilled: u64,
}

/// A gap with the id of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGap {
    /// The gap's own event.
    pub id: EventId,
    /// What was lost.
    pub gap: Gap,
}

/// A committed instant: everything before it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The newest event when it was committed.
    pub after: EventId,
    /// The instant.
    pub at: Micros,
}

records! { FeedState = 1, "state of the feed"; }

impl Tip {
    pub(super) fn load(txn: &ReadTransaction) -> Result<Self, StoreError> {
        let table = txn.open_table(TAIL)?;
        let feed = match table.get(FEED)? {
            Some(row) => codec::decode(row.value())?,
            None => FeedState::default(),
        };
        let mut tip = Self { feed, ..Self::default() };
        for row in table.range(..FEED)? {
            let (_, value) = row?;
            let (header, _) = split_tail(value.value())?;
            tip.tail_events += header.count as usize;
            tip.tail_text += header.text_bytes as usize;
            tip.tail_runs += 1;
        }
        Ok(tip)
    }
}

/// A run of the tail: the header's length, the header, the block.
pub(super) fn split_tail(value: &[u8]) -> Result<(Header, &[u8]), StoreError> {
    let short = || StoreError::Damaged { what: "tail of the feed", why: "a run is cut short".into() };
    let (len, rest) = value.split_first_chunk::<4>().ok_or_else(short)?;
    let (header, block) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(short)?;
    Ok((codec::decode(header)?, block))
}

impl Store {
    /// The feed's state as of the last commit.
    pub fn feed(&self) -> FeedState {
        self.lock_writer().tip.feed.clone()
    }

    /// The newest gaps, newest first.
    pub fn gaps(&self, limit: usize) -> Result<Vec<StoredGap>, StoreError> {
        self.read(|txn| txn.gaps(limit))
    }

    /// All ticks after `after`, in order.
    pub fn ticks(&self, after: EventId) -> Result<Vec<Tick>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let table = txn.open_table(TICKS)?;
            let mut ticks = Vec::new();
            for row in table.range((after.0, 0)..)? {
                let (after, at) = row?.0.value();
                ticks.push(Tick { after: EventId(after), at: Micros(at) });
            }
            Ok(ticks)
        })
    }

    /// How many gaps are on record.
    pub fn gap_count(&self) -> Result<u64, StoreError> {
        self.read(|ReadTxn { txn }| Ok(txn.open_table(GAPS)?.len()?))
    }
}

/// Calls `with` on every event of the tail, in order.
pub(super) fn each_of_tail(txn: &ReadTransaction, mut with: impl FnMut(&EventRef<'_>)) -> Result<(), StoreError> {
    for row in txn.open_table(TAIL)?.range(..FEED)? {
        Block::open(split_tail(row?.1.value())?.1)?.iter().for_each(|event| with(&event));
    }
    Ok(())
}

impl ReadTxn {
    fn gaps(&self, limit: usize) -> Result<Vec<StoredGap>, StoreError> {
        let table = self.txn.open_table(GAPS)?;
        let mut gaps = Vec::new();
        for row in table.iter()?.rev().take(limit) {
            let (id, value) = row?;
            gaps.push(StoredGap { id: EventId(id.value()), gap: codec::decode(value.value())? });
        }
        Ok(gaps)
    }
}

impl WriteTxn {
    /// The feed's state as this transaction leaves it.
    pub fn feed(&self) -> FeedState {
        self.tip.borrow().feed.clone()
    }

    /// Appends events that were numbered after the feed's last one, and counts them.
    pub fn append(&self, events: &EventBatch) -> Result<(), StoreError> {
        let Some(last) = events.len().checked_sub(1).and_then(|at| events.get(at)) else { return Ok(()) };
        let mut tip = self.tip.borrow_mut();
        self.note_changed_counters(events);
        tip.feed.last = last.id;
        tip.feed.events += events.len() as u64;
        tip.feed.kept += events.len() as u64;
        let mut table = self.txn.open_table(TAIL)?;
        let full = tip.tail_events + events.len() >= block::MAX_EVENTS
            || tip.tail_text + events.text_bytes() >= block::MAX_TEXT;
        if !full && tip.tail_runs < TAIL_RUNS {
            insert_run(&mut table, &mut tip, events)?;
            return Ok(());
        }
        let mut all = EventBatch::new();
        for row in table.range(..FEED)? {
            Block::open(split_tail(row?.1.value())?.1)?.iter().for_each(|event| all.push(event));
        }
        table.retain_in(..FEED, |_, _| false)?;
        (tip.tail_events, tip.tail_text, tip.tail_runs) = (0, 0, 0);
        for event in events.iter() {
            all.push(event);
            if all.len() >= block::MAX_EVENTS || all.text_bytes() >= block::MAX_TEXT {
                tip.feed.block_bytes += self.insert_block(&all)?;
                self.count_block(&all)?;
                all.clear();
            }
        }
        if !all.is_empty() {
            insert_run(&mut table, &mut tip, &all)?;
        }
        Ok(())
    }

    pub(super) fn insert_block(&self, events: &EventBatch) -> Result<u64, StoreError> {
        let encoded = block::encode(events.iter(), false)?;
        let first = encoded.header.first.0;
        let mut blocks = self.txn.open_table(BLOCKS)?;
        for (part, bytes) in encoded.bytes.chunks(PART_BYTES).enumerate() {
            let part = u16::try_from(part)
                .map_err(|_| StoreError::Unwritable { what: "event block", why: "it has too many parts".into() })?;
            blocks.insert((first, part), bytes)?;
        }
        self.txn.open_table(HEADERS)?.insert(first, codec::encode(&encoded.header)?.as_slice())?;
        if !encoded.correlation.is_empty() {
            self.txn.open_table(CORRELATION)?.insert(first, encoded.correlation.as_slice())?;
        }
        Ok(encoded.bytes.len() as u64)
    }

    /// Ends a transaction of the pipeline: counts it, and moves the position on.
    pub fn finish_feed(&self, position: Option<&Position>) -> Result<(), StoreError> {
        let mut tip = self.tip.borrow_mut();
        tip.feed.commits += 1;
        if let Some(position) = position {
            tip.feed.position = Some(position.clone());
        }
        Ok(())
    }

    /// Writes the feed's row if anything in this transaction changed it.
    pub(super) fn store_feed(&self) -> Result<(), StoreError> {
        let feed = &self.tip.borrow().feed;
        if *feed != self.feed {
            self.txn.open_table(TAIL)?.insert(FEED, codec::encode(feed)?.as_slice())?;
        }
        Ok(())
    }

    /// Commits an instant.
    pub fn tick(&self, at: Micros) -> Result<(), StoreError> {
        let mut tip = self.tip.borrow_mut();
        tip.feed.tick = Some(at);
        self.txn.open_table(TICKS)?.insert((tip.feed.last.0, at.0), ())?;
        Ok(())
    }

    /// Puts a gap on record under the id of its event.
    pub fn record_gap(&self, id: EventId, gap: &Gap) -> Result<(), StoreError> {
        self.txn.open_table(GAPS)?.insert(id.0, codec::encode(gap)?.as_slice())?;
        Ok(())
    }
}

fn insert_run(
    table: &mut redb::Table<'_, u64, &'static [u8]>,
    tip: &mut Tip,
    events: &EventBatch,
) -> Result<(), StoreError> {
    let encoded = block::encode(events.iter(), true)?;
    let header = codec::encode(&encoded.header)?;
    let mut value = (header.len() as u32).to_le_bytes().to_vec();
    value.extend_from_slice(&header);
    value.extend_from_slice(&encoded.bytes);
    table.insert(encoded.header.first.0, value.as_slice())?;
    tip.tail_events += events.len();
    tip.tail_text += events.text_bytes();
    tip.tail_runs += 1;
    Ok(())
}
