//! What is kept how long. Events go by age and by bytes, whole blocks at a time, the oldest first.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable};

use super::block::Header;
use super::codec;
use super::feed::Tip;
use super::idempotency::Carried;
use super::outbox::OutboxMessage;
use super::schema::{
    BLOCKS, CORRELATION, COUNTERS, FOLLOWERS, GAPS, HEADERS, IDEMPOTENCY, INTENT_KEYS, INTENTS, OUTBOX, TICKS,
};
use super::{FollowerPosition, StoreError, WriteTxn};
use crate::domain::id::EventId;
use crate::domain::intent::Intent;
use crate::domain::time::Micros;

/// Counters, ticks and gaps.
const COUNTER_DAYS: u64 = 90;
/// Intents that are over.
const INTENT_DAYS: u64 = 365;
/// Outbox messages that every follower has sent.
const OUTBOX_DAYS: u64 = 7;
/// Those that one has not: a Redis that was switched off, or a webhook that is configured no more, must not keep them for
/// ever.
const OUTBOX_UNSENT_DAYS: u64 = 30;
/// Answers to requests.
const IDEMPOTENCY_DAYS: u64 = 2;

/// Blocks that one transaction removes, so that it stays short.
const MAX_BLOCKS: usize = 256;

/// A file smaller than this is not worth compacting.
const COMPACT_FROM_BYTES: u64 = 64 << 20;

/// What the configuration keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age at which events go.
    pub days: u32,
    /// Compressed size of all blocks at which the oldest go.
    pub bytes: u64,
}

/// What one transaction removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Blocks of events.
    pub blocks: usize,
    /// Whether there is more to remove.
    pub more: bool,
}

impl WriteTxn {
    /// Removes what is past its time, at most [`MAX_BLOCKS`] blocks of events at once.
    pub(super) fn trim(&self, retention: Retention, now: Micros) -> Result<Trimmed, StoreError> {
        let trimmed = self.trim_events(retention, now)?;
        let old = now.minus(COUNTER_DAYS * Micros::DAY);
        let oldest_event = EventId::new(old.millis() & ((1 << 44) - 1), 0).0;
        self.txn.open_table(COUNTERS)?.retain_in(..(old.hour().0, 0, ""), |_, _| false)?;
        self.txn.open_table(TICKS)?.retain_in(..(oldest_event, 0), |_, _| false)?;
        self.txn.open_table(GAPS)?.retain_in(..oldest_event, |_, _| false)?;
        self.trim_intents(now.minus(INTENT_DAYS * Micros::DAY))?;
        self.trim_outbox(now)?;
        self.trim_idempotency(now.minus(IDEMPOTENCY_DAYS * Micros::DAY))?;
        self.trim_publications(now)?;
        self.trim_inbox(now)?;
        self.trim_dead_letters(now)?;
        self.trim_triggers(now)?;
        Ok(trimmed)
    }

    fn trim_events(&self, retention: Retention, now: Micros) -> Result<Trimmed, StoreError> {
        let cutoff = now.minus(u64::from(retention.days) * Micros::DAY);
        let mut tip = self.tip.borrow_mut();
        let mut doomed = Vec::new();
        let mut bytes = tip.feed.block_bytes;
        let mut more = false;
        for row in self.txn.open_table(HEADERS)?.iter()? {
            let header: Header = codec::decode(row?.1.value())?;
            if header.ts_max >= cutoff && bytes <= retention.bytes {
                break;
            }
            if doomed.len() >= MAX_BLOCKS {
                more = true;
                break;
            }
            bytes = bytes.saturating_sub(u64::from(header.stored_bytes));
            doomed.push(header);
        }
        if doomed.is_empty() {
            return Ok(Trimmed::default());
        }
        let mut headers = self.txn.open_table(HEADERS)?;
        let mut blocks = self.txn.open_table(BLOCKS)?;
        let mut correlation = self.txn.open_table(CORRELATION)?;
        for header in &doomed {
            let first = header.first.0;
            headers.remove(first)?;
            blocks.retain_in((first, 0)..=(first, u16::MAX), |_, _| false)?;
            correlation.remove(first)?;
            tip.feed.kept = tip.feed.kept.saturating_sub(u64::from(header.count));
        }
        tip.feed.block_bytes = bytes;
        Ok(Trimmed { blocks: doomed.len(), more })
    }

    fn trim_intents(&self, before: Micros) -> Result<(), StoreError> {
        let mut old = Vec::new();
        let mut table = self.txn.open_table(INTENTS)?;
        let last = table.last()?.map_or(0, |(id, _)| id.value());
        for row in table.range(..last)? {
            let intent: Intent = codec::decode(row?.1.value())?;
            if intent.opened_at >= before {
                break;
            }
            if intent.resolved.as_ref().is_some_and(|note| note.at < before) {
                old.push(intent);
            }
        }
        for intent in old {
            table.remove(intent.id.0)?;
            self.txn.open_table(INTENT_KEYS)?.remove(codec::encode(&intent.key)?.as_slice())?;
        }
        Ok(())
    }

    fn trim_outbox(&self, now: Micros) -> Result<(), StoreError> {
        let before = now.minus(OUTBOX_DAYS * Micros::DAY);
        let unsent_before = now.minus(OUTBOX_UNSENT_DAYS * Micros::DAY);
        let mut table = self.txn.open_table(OUTBOX)?;
        // The newest stays: it is the sequence's memory. What a follower has not sent stays too, for longer.
        let last = table.last()?.map_or(0, |(seq, _)| seq.value());
        let mut unsent = last;
        for row in self.txn.open_table(FOLLOWERS)?.iter()? {
            let position: FollowerPosition = codec::decode(row?.1.value())?;
            unsent = unsent.min(position.outbox.saturating_add(1));
        }
        let mut old = Vec::new();
        for row in table.range(..last)? {
            let message: OutboxMessage = codec::decode(row?.1.value())?;
            if message.at >= if message.seq < unsent { before } else { unsent_before } {
                break;
            }
            old.push(message.seq);
        }
        for seq in old {
            table.remove(seq)?;
        }
        Ok(())
    }

    fn trim_idempotency(&self, before: Micros) -> Result<(), StoreError> {
        let mut table = self.txn.open_table(IDEMPOTENCY)?;
        let mut old = Vec::new();
        for row in table.iter()? {
            let (key, value) = row?;
            if codec::decode::<Carried>(value.value())?.at < before {
                old.push(key.value().to_owned());
            }
        }
        for key in old {
            table.remove(key.as_str())?;
        }
        Ok(())
    }
}

/// Compacts a file of which more than half is free. Needs the file to itself, so only at start-up.
pub(super) fn compact_if_sparse(path: &Path, database: &mut Database) -> Result<(), StoreError> {
    let Ok(before) = std::fs::metadata(path).map(|metadata| metadata.len()) else { return Ok(()) };
    if before < COMPACT_FROM_BYTES {
        return Ok(());
    }
    // What the blocks hold is nearly all there is: reading that one number is quick, a walk of all pages is not.
    let used = super::guard::catch(|| Ok(Tip::load(&database.begin_read()?)?.feed.block_bytes))?;
    if used.saturating_mul(2) + COMPACT_FROM_BYTES / 2 > before {
        return Ok(());
    }
    let step = super::guard::catch(|| Ok(database.compact()?));
    match step {
        Ok(_) => {
            let after = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            tracing::info!(before, after, "the data file was more than half empty and was compacted");
            Ok(())
        }
        // Without room to compact in, the file is merely larger than it needs to be.
        Err(error) if error.is_full() => Ok(()),
        Err(error) => Err(error),
    }
}
