use super::events::{EventsView, Patience};
use crate::domain::batch::EventBatch;
use crate::domain::decision_path::DecisionPath;
use crate::domain::event::EventRef;
use crate::domain::id::EventId;
use crate::store::{EventFilter, Store, StoreError};

/// Events before and after one.
const NEIGHBOURS: usize = 20;

/// Blocks that are opened to find those after it; those before it have a budget of time.
const BLOCKS_AFTER: usize = 4;

/// Events of one correlation id that its page shows.
const PATH_EVENTS: usize = 500;

/// Whose events stand around one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Those of its unit.
    Unit,
    /// Everybody's.
    All,
}

/// One event with its neighbours.
#[derive(Clone, Debug)]
pub struct EventView {
    /// The event alone.
    pub event: EventBatch,
    /// The neighbours and the event among them, newest first.
    pub around: EventBatch,
}

impl EventView {
    /// Looks it up.
    pub fn find(store: &Store, id: EventId, around: Around) -> Result<Option<Self>, StoreError> {
        let found = store.search(&EventFilter::default(), id.next(), 1, 1)?.events;
        let Some(event) = found.get(0).filter(|event| event.id == id) else { return Ok(None) };
        let unit = (around == Around::Unit).then(|| event.unit.to_owned());
        let filter = EventFilter { unit, ..EventFilter::default() };
        let mut all = EventBatch::new();
        let after = after(store, &filter, id)?;
        (0..after.len()).rev().filter_map(|at| after.get(at)).for_each(|event| all.push(event));
        all.push(event);
        let before = EventsView::find(store, &filter, id, NEIGHBOURS, Patience::Page)?.events;
        before.iter().for_each(|event| all.push(event));
        Ok(Some(Self { event: found, around: all }))
    }
}

/// The next events that fit, oldest first.
fn after(store: &Store, filter: &EventFilter, id: EventId) -> Result<EventBatch, StoreError> {
    let (mut found, mut last) = (EventBatch::new(), id);
    for _ in 0..BLOCKS_AFTER {
        let block = store.events_after(last, 1)?;
        for event in block.iter() {
            last = event.id;
            if filter.matches(&event) {
                found.push(event);
            }
            if found.len() >= NEIGHBOURS {
                return Ok(found);
            }
        }
        if block.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// Everything of one correlation id.
#[derive(Clone, Debug)]
pub struct PathView {
    /// Its events in time order; the newest [`PATH_EVENTS`] where there are more.
    pub events: EventBatch,
    /// Its way through the services.
    pub path: DecisionPath,
    /// Whether there are older ones that are not shown.
    pub more: bool,
}

impl PathView {
    /// Looks it up.
    pub fn find(store: &Store, correlation_id: &str) -> Result<Self, StoreError> {
        let filter = EventFilter { correlation_id: Some(correlation_id.to_owned()), ..EventFilter::default() };
        let found = EventsView::find(store, &filter, EventId::MAX, PATH_EVENTS, Patience::Long)?;
        let mut order: Vec<EventRef<'_>> = found.events.iter().collect();
        order.sort_by_key(|event| (event.ts, event.id));
        let mut events = EventBatch::new();
        order.into_iter().for_each(|event| events.push(event));
        Ok(Self { path: DecisionPath::of(&events), events, more: found.next.is_some() })
    }
}
