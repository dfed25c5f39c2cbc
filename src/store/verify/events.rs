//! The feed: blocks with their headers and filters, the tail, and the row that sums them up.

use std::collections::BTreeMap;

use super::super::block::{Block, Header};
use super::super::counters;
use super::super::feed::{FEED, FeedState, split_tail};
use super::super::query::block_bytes;
use super::super::schema::{BLOCKS, CORRELATION, COUNTERS, GAPS, HEADERS, TAIL, TICKS};
use super::super::{StoreError, bloom};
use super::walk::{Fault, Walk, decode, must, plain, refers};
use crate::domain::backup::{FeedAt, Part};
use crate::domain::feed::Gap;
use crate::domain::id::EventId;

/// The sum of what was seen, to be compared with the feed's row.
#[derive(Default)]
pub(super) struct Seen {
    feed: FeedState,
    last: EventId,
    events: u64,
    block_bytes: u64,
    /// First id → parts of each block.
    parts: BTreeMap<u64, u16>,
    headers: BTreeMap<u64, Header>,
}

pub(super) fn blocks(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let parts = &mut seen.parts;
    walk.each("blocks", BLOCKS, |(first, part), bytes| {
        let next = parts.entry(first).or_default();
        let expected = std::mem::replace(next, part.saturating_add(1));
        must(part == expected, "a part of the block before this one is missing")?;
        must(!bytes.is_empty(), "the part is empty")
    })
}

pub(super) fn headers(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let headers = &mut seen.headers;
    walk.each("headers", HEADERS, |first, row| {
        let header: Header = decode(row)?;
        must(header.first.0 == first, "the header is that of another block")?;
        headers.insert(first, header);
        Ok(())
    })?;
    for first in seen.parts.keys().filter(|first| !seen.headers.contains_key(first)) {
        walk.fault(Part::References, "blocks", &EventId(*first).to_string(), "the block has no header");
    }
    for (first, header) in &seen.headers {
        seen.block_bytes += u64::from(header.stored_bytes);
        seen.events += u64::from(header.count);
        let filter = match walk.open(CORRELATION)? {
            Some(table) => table.get(first)?.map(|bits| bits.value().to_vec()),
            None => None,
        };
        let opened = block_bytes(walk.txn, header.first).map_err(|error| Fault::record(plain(error)));
        let looked = opened.and_then(|bytes| {
            must(
                bytes.len() as u64 == u64::from(header.stored_bytes),
                "the block has another length than its header says",
            )?;
            run(header, &bytes, seen.last, filter.as_deref().unwrap_or_default(), true)
        });
        if let Err(fault) = looked {
            let table = if fault.part == Part::References { "correlation" } else { "blocks" };
            walk.tell(fault, table, &EventId(*first).to_string());
        }
        seen.last = header.last;
        walk.report.events += u64::from(header.count);
    }
    Ok(())
}

pub(super) fn correlation(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let headers = &seen.headers;
    walk.each("correlation", CORRELATION, |first, bits| {
        must(!bits.is_empty(), "the filter is empty")?;
        refers(headers.contains_key(&first), || "the filter belongs to no block".to_owned())
    })
}

pub(super) fn tail(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let (mut last, mut events, mut feed) = (seen.last, 0, None);
    walk.each("tail", TAIL, |first, row| {
        if first == FEED {
            feed = Some(decode::<FeedState>(row)?);
            return Ok(());
        }
        let (header, block) = split_tail(row).map_err(|error| Fault::record(plain(error)))?;
        must(header.first.0 == first, "the run is that of another key")?;
        let before = std::mem::replace(&mut last, header.last);
        events += u64::from(header.count);
        run(&header, block, before, &[], false)
    })?;
    walk.report.events += events;
    (seen.last, seen.events) = (last, seen.events + events);
    // A file that never had a commit of the feed has no row of it.
    seen.feed = feed.unwrap_or_default();
    let at = &seen.feed;
    let sums = [("events are there", at.kept, seen.events), ("bytes are in blocks", at.block_bytes, seen.block_bytes)];
    for (what, said, found) in sums {
        if said != found {
            let why = format!("it says that {said} {what}, and there are {found}");
            walk.fault(Part::References, "tail", "state of the feed", why);
        }
    }
    if at.last < seen.last || at.events < at.kept {
        let why = format!("it ends at {} with {} events, and the newest is {}", at.last, at.events, seen.last);
        walk.fault(Part::References, "tail", "state of the feed", why);
    }
    walk.report.feed = Some(FeedAt {
        last: at.last,
        events: at.events,
        kept: at.kept,
        tick: at.tick,
        cursor: at.position.as_ref().map(|position| position.cursor.clone()),
    });
    Ok(())
}

/// Whether the events of a block are those that its header tells of, behind `before` and in order.
fn run(header: &Header, bytes: &[u8], before: EventId, filter: &[u8], filtered: bool) -> Result<(), Fault> {
    let block = Block::open(bytes).map_err(|error| Fault::record(plain(error)))?;
    let (mut count, mut last) = (0_u32, before);
    let (mut ts_min, mut ts_max, mut levels) = (u64::MAX, 0, 0_u8);
    for event in block.iter() {
        must(event.id > last, "its events are not in the order of their ids")?;
        if count == 0 {
            must(event.id == header.first, "it begins with another event than its header says")?;
        }
        last = event.id;
        count += 1;
        (ts_min, ts_max) = (ts_min.min(event.ts.0), ts_max.max(event.ts.0));
        levels |= 1 << event.level.priority();
        must(header.units.iter().any(|unit| unit == event.unit), "an event's unit is not in its header")?;
        if let Some(symbol) = event.symbol {
            must(header.symbols.iter().any(|known| known == symbol), "an event's symbol is not in its header")?;
        }
        if let Some(id) = event.correlation_id.filter(|_| filtered) {
            refers(bloom::may_contain(filter, id), || {
                "an event's correlation id is not in the block's filter".to_owned()
            })?;
        }
    }
    must(count == header.count && last == header.last, "it has not the events that its header tells of")?;
    must((ts_min, ts_max) == (header.ts_min.0, header.ts_max.0), "its times are not those of its header")?;
    must(levels == header.levels, "its levels are not those of its header")
}

pub(super) fn ticks(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let last = seen.feed.last;
    walk.each("ticks", TICKS, |(after, _), ()| {
        refers(after <= last.0, || format!("it stands behind the newest event, {last}"))
    })
}

pub(super) fn gaps(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let last = seen.feed.last;
    walk.each("gaps", GAPS, |id, row| {
        decode::<Gap>(row)?;
        refers(id <= last.0, || format!("it stands behind the newest event, {last}"))
    })
}

pub(super) fn counters(walk: &mut Walk<'_>, _: &mut Seen) -> Result<(), StoreError> {
    walk.each("counters", COUNTERS, |(_, kind, _), row| {
        decode::<counters::Row>(row)?;
        must(counters::kind(kind).is_some(), "its kind is unknown")
    })
}
