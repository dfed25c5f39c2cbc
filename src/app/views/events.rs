use std::time::{Duration, Instant};

use crate::domain::batch::EventBatch;
use crate::domain::id::EventId;
use crate::domain::time::Micros;
use crate::store::{EventFilter, Store, StoreError};

/// Blocks that one step of a search opens: few, so that it can stop in time.
const BLOCKS: usize = 2;

/// Steps that every search may take, however slow the machine is: what was stored last is always looked at.
const STEPS: usize = 3;

/// How long a search may take before it says how far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as a page may take.
    Page,
    /// As long as somebody waits who asked for it.
    Long,
}

impl Patience {
    fn time(self) -> Duration {
        match self {
            Self::Page => Duration::from_millis(12),
            Self::Long => Duration::from_secs(4),
        }
    }
}

/// Events that fit a filter, newest first.
#[derive(Clone, Debug, Default)]
pub struct EventsView {
    /// The events.
    pub events: EventBatch,
    /// Where older ones go on; none at the end.
    pub next: Option<EventId>,
    /// Set where time was up before the page was full: everything back to here was looked at.
    pub looked_back_to: Option<Micros>,
}

impl EventsView {
    /// Looks for `limit` events below `before`.
    pub fn find(
        store: &Store,
        filter: &EventFilter,
        before: EventId,
        limit: usize,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        let deadline = Instant::now() + patience.time();
        let (mut view, mut before) = (Self::default(), before);
        for step in 1.. {
            let found = store.search(filter, before, limit - view.events.len(), BLOCKS)?;
            found.events.iter().for_each(|event| view.events.push(event));
            view.next = found.next;
            let Some(next) = found.next else { return Ok(view) };
            if view.events.len() >= limit {
                return Ok(view);
            }
            if step >= STEPS && Instant::now() >= deadline {
                view.looked_back_to = Some(Micros::from_millis(next.ms()));
                return Ok(view);
            }
            before = next;
        }
        Ok(view)
    }
}
