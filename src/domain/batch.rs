use std::collections::HashMap;

use super::event::{Decision, EventRef, Level, MESSAGE_STORED_BYTES, first_bytes};
use super::id::EventId;
use super::time::Micros;

/// A run of events in columns: one text arena, one table of the few names that repeat, and a small row an event.
///
/// Pushing allocates only as the arena grows; reading borrows.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    names: Names,
    text: String,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    id: EventId,
    ts: Micros,
    unit: u32,
    source: u32,
    host: u32,
    symbol: Option<u32>,
    level: Level,
    decision: Option<Decision>,
    confidence: Option<f64>,
    message: Span,
    correlation_id: Option<Span>,
    fields: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug, Default)]
struct Names {
    list: Vec<Box<str>>,
    index: HashMap<Box<str>, u32>,
}

impl Names {
    fn intern(&mut self, name: &str) -> u32 {
        if let Some(&at) = self.index.get(name) {
            return at;
        }
        let at = self.list.len() as u32;
        self.list.push(name.into());
        self.index.insert(name.into(), at);
        at
    }

    fn get(&self, at: u32) -> &str {
        self.list.get(at as usize).map_or("", |name| name)
    }
}

impl EventBatch {
    /// Text beyond which a batch is full, so that spans stay within 32 bits whatever is pushed.
    pub const MAX_TEXT: usize = 64 << 20;

    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of text held: what limits a block.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Appends an event; a message beyond [`MESSAGE_STORED_BYTES`] is cut between characters.
    pub fn push(&mut self, event: EventRef<'_>) {
        let row = Row {
            id: event.id,
            ts: event.ts,
            unit: self.names.intern(event.unit),
            source: self.names.intern(event.source),
            host: self.names.intern(event.host),
            symbol: event.symbol.map(|symbol| self.names.intern(symbol)),
            level: event.level,
            decision: event.decision,
            confidence: event.confidence,
            message: self.span(first_bytes(event.message, MESSAGE_STORED_BYTES)),
            correlation_id: event.correlation_id.map(|id| self.span(id)),
            fields: event.fields.map(|fields| self.span(fields)),
        };
        self.rows.push(row);
    }

    fn span(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, end: self.text.len() as u32 }
    }

    /// The event at `at`, if there is one.
    pub fn get(&self, at: usize) -> Option<EventRef<'_>> {
        let row = self.rows.get(at)?;
        let text = |span: Span| self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        Some(EventRef {
            id: row.id,
            ts: row.ts,
            unit: self.names.get(row.unit),
            source: self.names.get(row.source),
            host: self.names.get(row.host),
            level: row.level,
            message: text(row.message),
            symbol: row.symbol.map(|at| self.names.get(at)),
            correlation_id: row.correlation_id.map(text),
            decision: row.decision,
            confidence: row.confidence,
            fields: row.fields.map(text),
        })
    }

    /// The events in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = EventRef<'_>> + ExactSizeIterator {
        (0..self.rows.len()).map(|at| match self.get(at) {
            Some(event) => event,
            None => unreachable!("the range is the rows'"),
        })
    }

    /// Appends all events of `other`.
    pub fn append(&mut self, other: &EventBatch) {
        for event in other.iter() {
            self.push(event);
        }
    }

    /// Gives every event its id: consecutive ones from `first`. The last id given, if there is an event.
    pub fn number(&mut self, first: EventId) -> Option<EventId> {
        let mut id = first;
        let mut last = None;
        for row in &mut self.rows {
            row.id = id;
            last = Some(id);
            id = id.next();
        }
        last
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.names.list.clear();
        self.names.index.clear();
        self.text.clear();
        self.rows.clear();
    }
}
