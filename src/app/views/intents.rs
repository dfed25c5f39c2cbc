use super::charts;
use super::events::{EventsView, Patience};
use crate::app::App;
use crate::config::ErrorRate;
use crate::domain::counter::CounterKind;
use crate::domain::event::Level;
use crate::domain::hourly::Steps;
use crate::domain::id::{EventId, IntentId};
use crate::domain::intent::{Intent, IntentState, Subject};
use crate::domain::time::Hour;
use crate::store::{EventFilter, Store, StoreError};

/// Resolved intents of a page.
const RESOLVED: usize = 50;
/// Resolved intents below the others.
const RECENT: usize = 10;
/// Earlier intents of the same subject that an intent's page shows.
const EARLIER: usize = 10;
/// Events that it shows.
const EVENTS: usize = 20;
/// Hours before and after the window that its chart shows.
const AROUND: u32 = 12;

/// Intents that are not over: nobody's first, then the worst, then the newest.
pub fn unresolved(store: &Store) -> Result<Vec<Intent>, StoreError> {
    let mut open = store.intents(None, None, IntentId(u64::MAX), usize::MAX)?;
    open.retain(|intent| intent.resolved.is_none());
    open.sort_by(|one, other| {
        let rank = |intent: &Intent| (intent.acknowledged.is_some(), std::cmp::Reverse((intent.severity, intent.id)));
        rank(one).cmp(&rank(other))
    });
    Ok(open)
}

/// The list.
#[derive(Clone, Debug)]
pub struct IntentsView {
    /// Those that are not over; empty on further pages of those that are.
    pub open: Vec<Intent>,
    /// Those that are over, newest first.
    pub resolved: Vec<Intent>,
    /// Where older ones go on.
    pub next: Option<IntentId>,
}

impl IntentsView {
    /// What is open, and some of what was resolved last.
    pub fn first(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { open: unresolved(store)?, ..Self::resolved(store, IntentId(u64::MAX), RECENT)? })
    }

    /// What was resolved, below `before`.
    pub fn before(store: &Store, before: IntentId) -> Result<Self, StoreError> {
        Self::resolved(store, before, RESOLVED)
    }

    fn resolved(store: &Store, before: IntentId, limit: usize) -> Result<Self, StoreError> {
        let resolved = store.intents(Some(IntentState::Resolved), None, before, limit)?;
        let next = resolved.last().filter(|_| resolved.len() == limit).map(|intent| intent.id);
        Ok(Self { open: Vec::new(), resolved, next })
    }
}

/// One intent with what it rests on.
#[derive(Clone, Debug)]
pub struct IntentView {
    /// The intent.
    pub intent: Intent,
    /// The figures around its window, where it is about a unit's hour.
    pub evidence: Option<Evidence>,
    /// Earlier and later intents about the same subject, newest first.
    pub others: Vec<Intent>,
}

/// What an intent about a unit's hour rests on.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The unit.
    pub unit: String,
    /// The hour.
    pub hour: Hour,
    /// The hours of the chart.
    pub steps: Steps,
    /// Errors in each.
    pub errors: Vec<u64>,
    /// The least severity that the rule counts.
    pub least: Level,
    /// The newest events of that severity in the hour.
    pub events: EventsView,
}

impl IntentView {
    /// Looks it up.
    pub fn find(app: &App, id: IntentId, now: Hour) -> Result<Option<Self>, StoreError> {
        let store = &app.store;
        let Some(intent) = store.intent(id)? else { return Ok(None) };
        let evidence = match (&intent.key.subject, Hour::parse(&intent.key.window)) {
            (Subject::Unit(unit), Some(hour)) => Some(Evidence::find(app, unit, hour, now)?),
            _ => None,
        };
        let mut others = match intent.key.subject.unit() {
            Some(unit) => store.intents(None, Some(unit), IntentId(u64::MAX), EARLIER + 1)?,
            None => Vec::new(),
        };
        others.retain(|other| other.id != id);
        others.truncate(EARLIER);
        Ok(Some(Self { intent, evidence, others }))
    }
}

impl Evidence {
    fn find(app: &App, unit: &str, hour: Hour, now: Hour) -> Result<Self, StoreError> {
        // Hours that lie ahead have no figures to show.
        let last = Hour(hour.0.saturating_add(AROUND)).min(now.max(hour));
        let steps = Steps::until(last, 1, 2 * AROUND as usize + 1);
        let least = least_severity(&app.config.rules.error_rate, unit);
        let filter = EventFilter {
            since: Some(hour.start()),
            until: Some(hour.end()),
            unit: Some(unit.to_owned()),
            level: Some(least),
            ..EventFilter::default()
        };
        Ok(Self {
            errors: charts::of_unit(&app.store, CounterKind::Errors, unit, &steps)?,
            events: EventsView::find(&app.store, &filter, EventId::MAX, EVENTS, Patience::Page)?,
            unit: unit.to_owned(),
            hour,
            steps,
            least,
        })
    }
}

fn least_severity(rule: &ErrorRate, unit: &str) -> Level {
    rule.units.get(unit).and_then(|limits| limits.least_severity).unwrap_or(rule.least_severity)
}
