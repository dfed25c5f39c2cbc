//! Blocks: a run of events in columns, compressed, and the header that a query reads first.

use std::collections::{BTreeSet, HashMap};

use bincode::{Decode, Encode};

use super::codec::{self, records};
use super::query::EventFilter;
use super::{StoreError, bloom};
use crate::domain::batch::EventBatch;
use crate::domain::event::{Decision, EventRef, Level};
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// A block is full at this many events …
pub(crate) const MAX_EVENTS: usize = 4_096;
/// … or this much text.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// Beyond any block that this program writes: what a damaged length may make us allocate.
const MAX_DECOMPRESSED: usize = 32 << 20;

/// Compression of a full block; the tail is rewritten soon and takes the fastest.
const BLOCK_ZSTD_LEVEL: i32 = 5;
const TAIL_ZSTD_LEVEL: i32 = 1;

/// What is known of a block without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Header {
    pub(crate) first: EventId,
    pub(crate) last: EventId,
    pub(crate) count: u32,
    pub(crate) ts_min: Micros,
    pub(crate) ts_max: Micros,
    pub(crate) units: Vec<String>,
    pub(crate) symbols: Vec<String>,
    /// Bit n: some event has level n.
    pub(crate) levels: u8,
    /// Bit 0 BUY, 1 SELL, 2 HOLD.
    pub(crate) decisions: u8,
    pub(crate) text_bytes: u32,
    pub(crate) stored_bytes: u32,
}

records! {
    Header = 1, "block header";
    Columns = 1, "event block";
}

impl Header {
    /// Whether some event of the block may fit the filter.
    pub(crate) fn may_match(&self, filter: &EventFilter) -> bool {
        filter.since.is_none_or(|since| self.ts_max >= since)
            && filter.until.is_none_or(|until| self.ts_min < until)
            && filter.unit.as_ref().is_none_or(|unit| self.units.contains(unit))
            && filter.symbol.as_ref().is_none_or(|symbol| self.symbols.contains(symbol))
            && filter.level.is_none_or(|level| self.levels & ((2_u16 << level.priority()) - 1) as u8 != 0)
            && filter.decision.is_none_or(|decision| self.decisions & decision_bit(decision) != 0)
    }
}

impl Header {
    /// What opening the block costs, in events: of a full one [`MAX_EVENTS`], be it full of events or of text.
    pub(crate) fn weight(&self) -> usize {
        (self.count as usize).max(self.text_bytes as usize / (MAX_TEXT / MAX_EVENTS))
    }
}

/// A block ready to be stored.
pub(crate) struct Encoded {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
    /// The Bloom filter of its correlation ids; empty where it has none.
    pub(crate) correlation: Vec<u8>,
}

#[derive(Default, Encode, Decode)]
struct Columns {
    names: Vec<String>,
    first_id: u64,
    /// Distance to the id before, less one; the first is 0.
    id_step: Vec<u64>,
    first_ts: u64,
    ts_step: Vec<i64>,
    unit: Vec<u32>,
    source: Vec<u32>,
    host: Vec<u32>,
    /// Index into the names plus one; 0 for none.
    symbol: Vec<u32>,
    level: Vec<u8>,
    /// Bits 0–1: the decision plus one. Bits 2–3: no confidence, millionths, or an exact number.
    decision: Vec<u8>,
    confidence_millionths: Vec<u32>,
    confidence_exact: Vec<f64>,
    message_len: Vec<u32>,
    /// Length plus one; 0 for none.
    correlation_len: Vec<u32>,
    fields_len: Vec<u32>,
    messages: String,
    correlations: String,
    fields: String,
}

const CONFIDENCE_MILLIONTHS: u8 = 1 << 2;
const CONFIDENCE_EXACT: u8 = 2 << 2;

fn decision_code(decision: Option<Decision>) -> u8 {
    match decision {
        None => 0,
        Some(Decision::Buy) => 1,
        Some(Decision::Sell) => 2,
        Some(Decision::Hold) => 3,
    }
}

fn decision_bit(decision: Decision) -> u8 {
    1 << (decision_code(Some(decision)) - 1)
}

/// The block of `events`, which must not be empty and in order of id.
pub(crate) fn encode<'a>(events: impl Iterator<Item = EventRef<'a>>, tail: bool) -> Result<Encoded, StoreError> {
    let mut columns = Columns::default();
    let mut names: HashMap<&str, u32> = HashMap::new();
    let (mut units, mut symbols, mut correlations) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut header = Header {
        first: EventId::ZERO,
        last: EventId::ZERO,
        count: 0,
        ts_min: Micros(u64::MAX),
        ts_max: Micros(0),
        units: Vec::new(),
        symbols: Vec::new(),
        levels: 0,
        decisions: 0,
        text_bytes: 0,
        stored_bytes: 0,
    };
    let mut last_ts = 0;
    for event in events {
        let mut name = |text: &'a str| {
            *names.entry(text).or_insert_with(|| {
                columns.names.push(text.to_owned());
                columns.names.len() as u32 - 1
            })
        };
        let (unit, source, host) = (name(event.unit), name(event.source), name(event.host));
        let symbol = event.symbol.map_or(0, |symbol| name(symbol) + 1);
        if header.count == 0 {
            (header.first, columns.first_id, columns.first_ts) = (event.id, event.id.0, event.ts.0);
            (header.last, last_ts) = (event.id, event.ts.0);
            columns.id_step.push(0);
        } else {
            columns.id_step.push(event.id.0.saturating_sub(header.last.0).saturating_sub(1));
        }
        columns.ts_step.push(event.ts.0.wrapping_sub(last_ts) as i64);
        (header.last, last_ts) = (event.id, event.ts.0);
        header.count += 1;
        header.ts_min = header.ts_min.min(event.ts);
        header.ts_max = header.ts_max.max(event.ts);
        header.levels |= 1 << event.level.priority();
        units.insert(event.unit);
        symbols.extend(event.symbol);
        columns.unit.push(unit);
        columns.source.push(source);
        columns.host.push(host);
        columns.symbol.push(symbol);
        columns.level.push(event.level.priority());
        header.decisions |= event.decision.map_or(0, decision_bit);
        let mut code = decision_code(event.decision);
        if let Some(confidence) = event.confidence {
            let millionths = (confidence * 1e6).round();
            if (0.0..=1e6).contains(&millionths) && millionths / 1e6 == confidence {
                code |= CONFIDENCE_MILLIONTHS;
                columns.confidence_millionths.push(millionths as u32);
            } else {
                code |= CONFIDENCE_EXACT;
                columns.confidence_exact.push(confidence);
            }
        }
        columns.decision.push(code);
        columns.message_len.push(event.message.len() as u32);
        columns.messages.push_str(event.message);
        columns.correlation_len.push(event.correlation_id.map_or(0, |id| id.len() as u32 + 1));
        if let Some(id) = event.correlation_id {
            columns.correlations.push_str(id);
            correlations.insert(id);
        }
        columns.fields_len.push(event.fields.map_or(0, |fields| fields.len() as u32 + 1));
        columns.fields.push_str(event.fields.unwrap_or_default());
    }
    header.text_bytes = (columns.messages.len() + columns.correlations.len() + columns.fields.len()) as u32;
    header.units = units.into_iter().map(str::to_owned).collect();
    header.symbols = symbols.into_iter().map(str::to_owned).collect();
    let plain = codec::encode(&columns)?;
    let level = if tail { TAIL_ZSTD_LEVEL } else { BLOCK_ZSTD_LEVEL };
    let bytes = compress(&plain, level)
        .map_err(|error| StoreError::Unwritable { what: "event block", why: error.to_string() })?;
    header.stored_bytes = bytes.len() as u32;
    Ok(Encoded { header, bytes, correlation: bloom::filter(&correlations) })
}

/// With a checksum, so that a flipped bit on the disk is an error and never another event.
fn compress(plain: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

/// A frame around any bytes.
#[cfg(feature = "fuzzing")]
pub(crate) fn framed(plain: &[u8]) -> Option<Vec<u8>> {
    compress(plain, TAIL_ZSTD_LEVEL).ok()
}

/// A block, opened.
pub(crate) struct Block {
    columns: Columns,
}

impl Block {
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |why: String| StoreError::Damaged { what: "event block", why };
        let plain = zstd::bulk::decompress(bytes, MAX_DECOMPRESSED.min(decompressed_size(bytes)))
            .map_err(|error| damaged(error.to_string()))?;
        let columns: Columns = codec::decode(&plain)?;
        let count = columns.id_step.len();
        let lengths = [
            columns.ts_step.len(),
            columns.unit.len(),
            columns.source.len(),
            columns.host.len(),
            columns.symbol.len(),
            columns.level.len(),
            columns.decision.len(),
            columns.message_len.len(),
            columns.correlation_len.len(),
            columns.fields_len.len(),
        ];
        if lengths.iter().any(|len| *len != count) {
            return Err(damaged("its columns differ in length".into()));
        }
        Ok(Self { columns })
    }

    /// The events in order.
    pub(crate) fn iter(&self) -> Events<'_> {
        Events {
            columns: &self.columns,
            at: 0,
            id: self.columns.first_id,
            ts: self.columns.first_ts,
            message: 0,
            correlation: 0,
            fields: 0,
            millionths: 0,
            exact: 0,
        }
    }

    /// Appends the events that fit the filter and have an id below `before`, in order.
    pub(crate) fn select(&self, filter: &EventFilter, before: EventId, into: &mut EventBatch) {
        // One search over all texts at once: most blocks do not have it at all.
        if let Some(grep) = &filter.grep {
            let has = |texts: &str| memchr::memmem::find(texts.as_bytes(), grep.as_bytes()).is_some();
            if !has(&self.columns.messages) && !has(&self.columns.fields) {
                return;
            }
        }
        for event in self.iter() {
            if event.id < before && filter.matches(&event) {
                into.push(event);
            }
        }
    }
}

/// What the frame says it holds; the limit where it does not say.
fn decompressed_size(bytes: &[u8]) -> usize {
    zstd::zstd_safe::get_frame_content_size(bytes)
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(MAX_DECOMPRESSED)
}

/// The events of a block. A row that points outside its block ends the iteration: the checksum has said that the bytes
/// are those that were written, so only a defect of the encoder can do that.
pub(crate) struct Events<'a> {
    columns: &'a Columns,
    at: usize,
    id: u64,
    ts: u64,
    message: usize,
    correlation: usize,
    fields: usize,
    millionths: usize,
    exact: usize,
}

fn take<'a>(text: &'a str, at: &mut usize, len: usize) -> Option<&'a str> {
    let taken = text.get(*at..*at + len)?;
    *at += len;
    Some(taken)
}

impl<'a> Iterator for Events<'a> {
    type Item = EventRef<'a>;

    fn next(&mut self) -> Option<EventRef<'a>> {
        let (columns, at) = (self.columns, self.at);
        let step = *columns.id_step.get(at)?;
        self.id = if at == 0 { self.id } else { self.id.wrapping_add(step).wrapping_add(1) };
        self.ts = self.ts.wrapping_add(columns.ts_step[at] as u64);
        self.at += 1;
        let name = |index: u32| columns.names.get(index as usize).map(String::as_str);
        let code = columns.decision[at];
        let confidence = match code & 0b1100 {
            CONFIDENCE_MILLIONTHS => {
                self.millionths += 1;
                columns.confidence_millionths.get(self.millionths - 1).map(|millionths| f64::from(*millionths) / 1e6)
            }
            CONFIDENCE_EXACT => {
                self.exact += 1;
                columns.confidence_exact.get(self.exact - 1).copied()
            }
            _ => None,
        };
        Some(EventRef {
            id: EventId(self.id),
            ts: Micros(self.ts),
            unit: name(columns.unit[at])?,
            source: name(columns.source[at])?,
            host: name(columns.host[at])?,
            level: Level::new(columns.level[at])?,
            message: take(&columns.messages, &mut self.message, columns.message_len[at] as usize)?,
            symbol: match columns.symbol[at] {
                0 => None,
                index => Some(name(index - 1)?),
            },
            correlation_id: match columns.correlation_len[at] {
                0 => None,
                len => Some(take(&columns.correlations, &mut self.correlation, len as usize - 1)?),
            },
            decision: [None, Some(Decision::Buy), Some(Decision::Sell), Some(Decision::Hold)][usize::from(code & 3)],
            confidence,
            fields: match columns.fields_len[at] {
                0 => None,
                len => Some(take(&columns.fields, &mut self.fields, len as usize - 1)?),
            },
        })
    }
}
