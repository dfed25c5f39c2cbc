//! Looking for events, newest first. Runs over snapshots beside the writer, reads headers before blocks, and stops after
//! a budget of blocks, so that no snapshot is held across a slow reader.

use redb::{ReadTransaction, ReadableTable};

use super::block::{self, Block, Header};
use super::schema::{BLOCKS, CORRELATION, HEADERS, TAIL};
use super::{ReadTxn, Store, StoreError, bloom, codec, feed};
use crate::domain::batch::EventBatch;
use crate::domain::event::{Decision, EventRef, Level};
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// What to look for; everything given must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    /// Not before, by the event's time.
    pub since: Option<Micros>,
    /// Before, by the event's time.
    pub until: Option<Micros>,
    /// The unit.
    pub unit: Option<String>,
    /// The service behind the unit.
    pub source: Option<String>,
    /// The machine.
    pub host: Option<String>,
    /// The symbol.
    pub symbol: Option<String>,
    /// This level or worse.
    pub level: Option<Level>,
    /// The decision.
    pub decision: Option<Decision>,
    /// The correlation id.
    pub correlation_id: Option<String>,
    /// A piece of the message or of the free fields, to the letter.
    pub grep: Option<String>,
}

impl EventFilter {
    /// Whether the event fits.
    pub fn matches(&self, event: &EventRef<'_>) -> bool {
        self.since.is_none_or(|since| event.ts >= since)
            && self.until.is_none_or(|until| event.ts < until)
            && self.unit.as_ref().is_none_or(|unit| event.unit == unit)
            && self.source.as_ref().is_none_or(|source| event.source == source)
            && self.host.as_ref().is_none_or(|host| event.host == host)
            && self.symbol.as_ref().is_none_or(|symbol| event.symbol == Some(symbol))
            && self.level.is_none_or(|level| event.level <= level)
            && self.decision.is_none_or(|decision| event.decision == Some(decision))
            && self.correlation_id.as_ref().is_none_or(|id| event.correlation_id == Some(id))
            && self.grep.as_ref().is_none_or(|grep| {
                let has = |text: &str| text.contains(grep.as_str());
                has(event.message) || event.fields.is_some_and(has)
            })
    }
}

/// One step of a search.
#[derive(Debug, Default)]
pub struct Found {
    /// What was found, newest first.
    pub events: EventBatch,
    /// Where the next step goes on: events below this id have not been looked at. `None` at the end.
    pub next: Option<EventId>,
}

impl Store {
    /// Looks at events below `before`, newest first, until `limit` are found or `blocks` full blocks, or as much in
    /// smaller ones, were opened.
    pub fn search(
        &self,
        filter: &EventFilter,
        before: EventId,
        limit: usize,
        blocks: usize,
    ) -> Result<Found, StoreError> {
        self.read(|txn| txn.search(filter, before, limit, blocks))
    }

    /// The events after `after`, oldest first: whole blocks until at least `at_least` are there, or all.
    pub fn events_after(&self, after: EventId, at_least: usize) -> Result<EventBatch, StoreError> {
        self.read(|txn| txn.events_after(after, at_least))
    }

    /// The oldest event that is kept.
    pub fn oldest(&self) -> Result<Option<EventId>, StoreError> {
        self.read(|ReadTxn { txn }| {
            if let Some((first, _)) = txn.open_table(HEADERS)?.first()? {
                return Ok(Some(EventId(first.value())));
            }
            let tail = txn.open_table(TAIL)?;
            let first = tail.range(..feed::FEED)?.next().transpose()?;
            Ok(first.map(|(first, _)| EventId(first.value())))
        })
    }

    /// The id after which the newest `count` events lie, or [`EventId::ZERO`] where there are fewer.
    pub fn window_start(&self, count: u64) -> Result<EventId, StoreError> {
        self.read(|txn| txn.window_start(count))
    }

    /// Events ever stored, and how many of them lie after `after`, both of one snapshot.
    pub fn events_behind(&self, after: EventId) -> Result<(u64, u64), StoreError> {
        self.read(|txn| txn.events_behind(after))
    }
}

impl ReadTxn {
    fn search(&self, filter: &EventFilter, before: EventId, limit: usize, blocks: usize) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let (mut opened, budget) = (0, blocks.saturating_mul(block::MAX_EVENTS));
        let mut run = EventBatch::new();
        let tail = self.txn.open_table(TAIL)?;
        for row in tail.range(..before.0)?.rev() {
            let (first, value) = row?;
            let (header, bytes) = feed::split_tail(value.value())?;
            if header.may_match(filter) {
                opened += header.weight();
                Block::open(bytes)?.select(filter, before, &mut run);
            }
            if found.take(&mut run, limit) {
                return Ok(found);
            }
            if opened >= budget {
                found.next = Some(EventId(first.value()));
                return Ok(found);
            }
        }
        let headers = self.txn.open_table(HEADERS)?;
        let filters = self.txn.open_table(CORRELATION)?;
        for row in headers.range(..before.0)?.rev() {
            let (first, value) = row?;
            let header: Header = codec::decode(value.value())?;
            let likely = header.may_match(filter)
                && match &filter.correlation_id {
                    None => true,
                    Some(id) => filters.get(first.value())?.is_some_and(|bits| bloom::may_contain(bits.value(), id)),
                };
            if likely {
                opened += header.weight();
                Block::open(&block_bytes(&self.txn, header.first)?)?.select(filter, before, &mut run);
            }
            if found.take(&mut run, limit) {
                return Ok(found);
            }
            if opened >= budget {
                found.next = Some(header.first);
                return Ok(found);
            }
        }
        Ok(found)
    }

    fn events_after(&self, after: EventId, at_least: usize) -> Result<EventBatch, StoreError> {
        let mut events = EventBatch::new();
        let headers = self.txn.open_table(HEADERS)?;
        // The block that begins at or before `after` may go on beyond it.
        let from = match headers.range(..=after.0)?.next_back() {
            Some(row) => row?.0.value(),
            None => 0,
        };
        for row in headers.range(from..)? {
            let (_, value) = row?;
            let header: Header = codec::decode(value.value())?;
            if header.last <= after {
                continue;
            }
            let block = Block::open(&block_bytes(&self.txn, header.first)?)?;
            block.iter().filter(|event| event.id > after).for_each(|event| events.push(event));
            if events.len() >= at_least {
                return Ok(events);
            }
        }
        for row in self.txn.open_table(TAIL)?.range(..feed::FEED)? {
            let (_, value) = row?;
            let (header, bytes) = feed::split_tail(value.value())?;
            if header.last > after {
                Block::open(bytes)?.iter().filter(|event| event.id > after).for_each(|event| events.push(event));
            }
            if events.len() >= at_least {
                break;
            }
        }
        Ok(events)
    }

    fn events_behind(&self, after: EventId) -> Result<(u64, u64), StoreError> {
        let mut behind = 0;
        let mut add = |header: &Header, block: &dyn Fn() -> Result<Vec<u8>, StoreError>| -> Result<(), StoreError> {
            behind += if header.first > after {
                u64::from(header.count)
            } else if header.last > after {
                Block::open(&block()?)?.iter().filter(|event| event.id > after).count() as u64
            } else {
                0
            };
            Ok(())
        };
        for row in self.txn.open_table(TAIL)?.range(..feed::FEED)? {
            let (_, value) = row?;
            let (header, bytes) = feed::split_tail(value.value())?;
            add(&header, &|| Ok(bytes.to_vec()))?;
        }
        for row in self.txn.open_table(HEADERS)?.iter()?.rev() {
            let header: Header = codec::decode(row?.1.value())?;
            if header.last <= after {
                break;
            }
            add(&header, &|| block_bytes(&self.txn, header.first))?;
        }
        Ok((feed::Tip::load(&self.txn)?.feed.events, behind))
    }

    fn window_start(&self, count: u64) -> Result<EventId, StoreError> {
        let mut left = count;
        let step_into = |bytes: &[u8], left: u64| -> Result<EventId, StoreError> {
            let block = Block::open(bytes)?;
            let ids: Vec<EventId> = block.iter().map(|event| event.id).collect();
            // `left` is below the block's count, so the id before the window is in the block.
            Ok(ids.len().checked_sub(left as usize + 1).and_then(|at| ids.get(at)).copied().unwrap_or_default())
        };
        for row in self.txn.open_table(TAIL)?.range(..feed::FEED)?.rev() {
            let (_, value) = row?;
            let (header, bytes) = feed::split_tail(value.value())?;
            if u64::from(header.count) > left {
                return step_into(bytes, left);
            }
            left -= u64::from(header.count);
        }
        for row in self.txn.open_table(HEADERS)?.iter()?.rev() {
            let (_, value) = row?;
            let header: Header = codec::decode(value.value())?;
            if u64::from(header.count) > left {
                return step_into(&block_bytes(&self.txn, header.first)?, left);
            }
            left -= u64::from(header.count);
        }
        Ok(EventId::ZERO)
    }
}

impl Found {
    /// Moves the events of one block over, newest first; whether the limit is reached.
    fn take(&mut self, run: &mut EventBatch, limit: usize) -> bool {
        for event in run.iter().rev() {
            if self.events.len() >= limit {
                break;
            }
            self.events.push(event);
        }
        run.clear();
        if self.events.len() < limit {
            return false;
        }
        self.next = self.events.get(self.events.len().saturating_sub(1)).map(|event| event.id);
        true
    }
}

/// The bytes of a block, its parts put together.
pub(super) fn block_bytes(txn: &ReadTransaction, first: EventId) -> Result<Vec<u8>, StoreError> {
    parts(&txn.open_table(BLOCKS)?, first)
}

pub(super) fn parts(
    table: &impl ReadableTable<(u64, u16), &'static [u8]>,
    first: EventId,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    for row in table.range((first.0, 0)..=(first.0, u16::MAX))? {
        bytes.extend_from_slice(row?.1.value());
    }
    if bytes.is_empty() {
        return Err(StoreError::Damaged {
            what: "event block",
            why: format!("block {first} has a header and no body"),
        });
    }
    Ok(bytes)
}
