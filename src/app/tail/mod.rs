//! The live tail: what is committed, read once, written once, and handed to every reader as the same bytes.
//!
//! Nothing is buffered for anybody. A reader takes pieces off a ring; one that falls behind by the whole ring is ended,
//! and comes back with the id of the last event that it has seen, which the store answers.

mod reader;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};

use crate::domain::batch::EventBatch;
use crate::domain::id::EventId;
use crate::store::EventFilter;

pub use reader::Reader;

/// Pieces in the ring.
const RING: usize = 64;

/// A piece has about this many bytes. With the ring that is what the tail holds at most: 16 MiB, and nothing at all as
/// long as every reader keeps up.
pub const PIECE_BYTES: usize = 256 << 10;

/// How long to wait when the file cannot be read just now.
const RETRY: Duration = Duration::from_secs(1);

/// A run of events, written.
#[derive(Debug)]
pub struct Piece {
    after: EventId,
    last: EventId,
    events: EventBatch,
    text: Bytes,
    lines: Vec<Line>,
}

/// Where one event stands in the text.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Its block of `text/event-stream`.
    start: u32,
    /// Its JSON within that, which ends two bytes before the block does.
    json: u32,
    end: u32,
}

/// How a reader wants its events written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Blocks of `text/event-stream`: `id`, `event`, `data`.
    Sse,
    /// A JSON object a line.
    Lines,
}

/// Readers that may look into the store at once: those who come back after a while. Each look is a short one.
const CATCHING_UP: usize = 2;

/// What is copied together rather than sent in parts.
const COPIED_BYTES: usize = 16 << 10;

/// The ring. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tail {
    ring: broadcast::Sender<Arc<Piece>>,
    catching_up: Arc<Semaphore>,
}

/// A reader's place at the ring.
#[derive(Debug)]
pub struct Pieces(broadcast::Receiver<Arc<Piece>>);

/// Why a reader gets nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did not keep up.
    Behind,
    /// The tail is gone.
    Closed,
}

impl Piece {
    /// The pieces of `events`, which are those that were committed behind `after`.
    pub fn all(events: &EventBatch, after: EventId) -> Vec<Self> {
        let mut pieces: Vec<Self> = Vec::new();
        loop {
            let after = pieces.last().map_or(after, |piece| piece.last);
            match Self::first(events, after, PIECE_BYTES) {
                Some(piece) => pieces.push(piece),
                None => return pieces,
            }
        }
    }

    /// The first piece of the events behind `after`, of about so many bytes.
    pub fn first(events: &EventBatch, after: EventId, bytes: usize) -> Option<Self> {
        let mut piece = Self { after, last: after, events: EventBatch::new(), text: Bytes::new(), lines: Vec::new() };
        let mut text = Vec::new();
        for event in events.iter().filter(|event| event.id > after) {
            let start = text.len();
            text.extend_from_slice(format!("id: {}\nevent: event\ndata: ", event.id).as_bytes());
            let json = text.len();
            if serde_json::to_writer(&mut text, &event.json(usize::MAX)).is_err() {
                // Only free fields that are not JSON can fail, and none are stored.
                text.truncate(start);
                continue;
            }
            text.extend_from_slice(b"\n\n");
            piece.lines.push(Line { start: start as u32, json: json as u32, end: text.len() as u32 });
            piece.events.push(event);
            piece.last = event.id;
            if text.len() >= bytes {
                break;
            }
        }
        piece.text = text.into();
        (!piece.lines.is_empty()).then_some(piece)
    }

    /// The event behind which it begins: whoever has seen that one misses nothing.
    pub fn after(&self) -> EventId {
        self.after
    }

    /// Its last event.
    pub fn last(&self) -> EventId {
        self.last
    }

    /// What a reader gets of it who has seen everything up to `seen`, in parts: the shared bytes, so that a crowd of
    /// readers costs no memory, and a copy only of what is little.
    pub fn parts(&self, format: Format, filter: &EventFilter, seen: EventId) -> Vec<Bytes> {
        let everything = *filter == EventFilter::default();
        if format == Format::Sse && everything && seen <= self.after {
            return vec![self.text.clone()];
        }
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for (line, event) in self.lines.iter().zip(self.events.iter()) {
            if event.id > seen && (everything || filter.matches(&event)) {
                let (from, to) = match format {
                    Format::Sse => (line.start, line.end),
                    // One of the two line feeds goes with it.
                    Format::Lines => (line.json, line.end - 1),
                };
                match runs.last_mut() {
                    Some(run) if run.1 == from => run.1 = to,
                    _ => runs.push((from, to)),
                }
            }
        }
        let parts = runs.into_iter().map(|(from, to)| self.text.slice(from as usize..to as usize));
        let parts: Vec<Bytes> = parts.collect();
        if parts.len() > 1 && parts.iter().map(Bytes::len).sum::<usize>() <= COPIED_BYTES {
            return vec![parts.concat().into()];
        }
        parts
    }
}

impl Default for Tail {
    fn default() -> Self {
        Self { ring: broadcast::Sender::new(RING), catching_up: Arc::new(Semaphore::new(CATCHING_UP)) }
    }
}

impl Tail {
    /// A place at the ring. Pieces that are sent from now on arrive there.
    pub fn join(&self) -> Pieces {
        Pieces(self.ring.subscribe())
    }

    /// How many read.
    pub fn readers(&self) -> usize {
        self.ring.receiver_count()
    }

    /// Hands a piece to all who read.
    pub fn send(&self, piece: Piece) {
        // Nobody may be there any more, which is no failure.
        let _ = self.ring.send(Arc::new(piece));
    }
}

impl Pieces {
    /// The next piece.
    pub async fn next(&mut self) -> Result<Arc<Piece>, Ended> {
        self.0.recv().await.map_err(|error| match error {
            RecvError::Lagged(_) => Ended::Behind,
            RecvError::Closed => Ended::Closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{EventRef, Level};
    use crate::domain::time::Micros;

    fn batch(count: u64, message: &str) -> EventBatch {
        let mut events = EventBatch::new();
        for at in 0..count {
            events.push(EventRef {
                id: EventId(100 + at),
                ts: Micros(at),
                unit: if at % 2 == 0 { "even" } else { "odd" },
                source: "unknown",
                host: "h",
                level: Level::INFO,
                message,
                symbol: None,
                correlation_id: None,
                decision: None,
                confidence: None,
                fields: None,
            });
        }
        events
    }

    #[test]
    fn pieces_follow_each_other_and_hold_every_event_once() {
        let events = batch(3_000, &"x".repeat(300));
        let pieces = Piece::all(&events, EventId(7));
        assert!(pieces.len() > 3, "{}", pieces.len());
        let mut after = EventId(7);
        let mut ids = Vec::new();
        for piece in &pieces {
            assert_eq!(piece.after(), after);
            after = piece.last();
            let text = piece.parts(Format::Sse, &EventFilter::default(), EventId::ZERO).concat();
            assert!(text.len() < PIECE_BYTES + 1_000);
            for block in std::str::from_utf8(&text).unwrap().split_terminator("\n\n") {
                let (id, rest) = block.strip_prefix("id: ").unwrap().split_once('\n').unwrap();
                let json: serde_json::Value =
                    serde_json::from_str(rest.strip_prefix("event: event\ndata: ").unwrap()).unwrap();
                assert_eq!(json["id"], id);
                ids.push(id.parse::<EventId>().unwrap());
            }
        }
        assert!(ids.iter().copied().eq(events.iter().map(|event| event.id)));
        assert!(Piece::all(&EventBatch::new(), EventId(7)).is_empty());
    }

    #[test]
    fn a_filter_and_what_was_seen_take_their_part() {
        let piece = Piece::all(&batch(6, "a\nb"), EventId(7)).remove(0);
        let odd = EventFilter { unit: Some("odd".to_owned()), ..EventFilter::default() };
        let lines = |filter: &EventFilter, seen| {
            let text = piece.parts(Format::Lines, filter, seen).concat();
            let lines: Vec<String> = std::str::from_utf8(&text).unwrap().lines().map(str::to_owned).collect();
            lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["ts"].clone()).collect()
        };
        let all: Vec<serde_json::Value> = lines(&EventFilter::default(), EventId::ZERO);
        assert_eq!(all, ["0", "1", "2", "3", "4", "5"]);
        let some: Vec<serde_json::Value> = lines(&odd, EventId(102));
        assert_eq!(some, ["3", "5"]);
        assert!(piece.parts(Format::Sse, &odd, piece.last()).is_empty());
    }

    #[tokio::test]
    async fn who_does_not_keep_up_is_ended_and_the_others_are_not() {
        let tail = Tail::default();
        let (mut slow, mut quick) = (tail.join(), tail.join());
        assert_eq!(tail.readers(), 2);
        for _ in 0..=RING {
            tail.send(Piece::all(&batch(1, "m"), EventId(7)).remove(0));
            assert_eq!(quick.next().await.unwrap().last(), EventId(100));
        }
        assert_eq!(slow.next().await.err(), Some(Ended::Behind));
    }
}
