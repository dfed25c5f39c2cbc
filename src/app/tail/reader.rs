use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{Ended, Format, Piece, Pieces, Tail};
use crate::app::App;
use crate::domain::id::EventId;
use crate::store::{EventFilter, Store, StoreError};

/// What one look into the store makes ready: less than a piece of the ring, because it is this reader's own.
const STEP_BYTES: usize = 64 << 10;

/// One who reads along: first what the store has behind the last event that it has seen, then the ring.
///
/// It takes its place at the ring once it has caught up, and what was committed meanwhile comes from the store too. So
/// nothing is missed and nothing comes twice, however long the way was.
pub struct Reader {
    store: Arc<Store>,
    tail: Tail,
    filter: EventFilter,
    format: Format,
    /// Everything up to this event was taken into account.
    seen: EventId,
    /// What the store had when this reader last looked: it reads at least so far from there.
    goal: EventId,
    pieces: Option<Pieces>,
    /// From the ring, and to be read once the store was read up to its beginning.
    held: Option<Arc<Piece>>,
    ready: VecDeque<Bytes>,
}

impl Reader {
    /// One that has seen everything up to `seen`.
    pub fn new(app: &App, filter: EventFilter, format: Format, seen: EventId) -> Self {
        Self {
            store: app.store.clone(),
            tail: app.tail.clone(),
            filter,
            format,
            seen,
            goal: seen,
            pieces: None,
            held: None,
            ready: VecDeque::new(),
        }
    }

    /// The last event that was taken into account; what is returned comes before it.
    pub fn seen(&self) -> EventId {
        self.seen
    }

    /// Leaves the ring, and reads on from the store: for one that was [`Ended::Behind`] and is to go on all the same.
    pub fn fall_back(&mut self) {
        self.pieces = None;
        self.held = None;
    }

    /// What comes next. Waits for it; may be given up and called again at any time.
    pub async fn next(&mut self) -> Result<Bytes, Ended> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(part);
            }
            if self.pieces.is_none() {
                self.goal = self.store.committed().borrow().last;
            }
            let target = self.held.as_ref().map_or(self.goal, |piece| piece.after().max(self.goal));
            if self.seen < target {
                self.catch_up(target).await;
                continue;
            }
            if let Some(piece) = self.held.take() {
                self.take(&piece);
                continue;
            }
            match &mut self.pieces {
                None => {
                    // What is committed from here on comes over the ring; what was until now is looked for once more.
                    self.pieces = Some(self.tail.join());
                    self.goal = self.store.committed().borrow().last;
                }
                Some(pieces) => self.held = Some(pieces.next().await?),
            }
        }
    }

    fn take(&mut self, piece: &Piece) {
        if piece.last() > self.seen {
            self.ready.extend(piece.parts(self.format, &self.filter, self.seen));
            self.seen = piece.last();
        }
    }

    /// One step towards `target`.
    async fn catch_up(&mut self, target: EventId) {
        // Never closed.
        let Ok(_place) = Arc::clone(&self.tail.catching_up).acquire_owned().await else { return };
        let (store, seen) = (self.store.clone(), self.seen);
        let step = tokio::task::spawn_blocking(move || {
            Ok::<_, StoreError>(Piece::first(&store.events_after(seen, 1)?, seen, STEP_BYTES))
        });
        match step.await {
            Ok(Ok(Some(piece))) => self.take(&piece),
            // Everything up to there is gone by now.
            Ok(Ok(None)) => self.seen = target,
            // The file is being opened anew after a failed commit: a reader must not take that for the end.
            Ok(Err(_)) | Err(_) => tokio::time::sleep(super::RETRY).await,
        }
    }
}
