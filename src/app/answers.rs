use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::batch::EventBatch;
use crate::domain::counter::{Counter, CounterKind};
use crate::domain::event::{Decision, Level};
use crate::domain::feed::Gap;
use crate::domain::health::{Component, Health};
use crate::domain::id::{EventId, IntentId};
use crate::domain::intent::{Intent, IntentState, Note, Severity};
use crate::domain::time::{Hour, Micros};
use crate::store::{CounterFilter, EventFilter, FeedState, Store, StoreError, StoredGap};

/// Blocks that one snapshot opens before it is let go.
const BLOCKS_A_SNAPSHOT: usize = 32;

/// How long one page may look: a search without a hit answers with where it stands, and is asked to go on.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// A string or an instant on the wire: RFC 3339.
fn rfc3339<S: Serializer>(at: &Micros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

fn rfc3339_option<S: Serializer>(at: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&at.map(Micros::rfc3339))
}

/// What to look for, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// This severity or worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The correlation id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// A piece of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A query that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A value.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EventQuery {
    /// The most events of a page.
    pub const MAX_LIMIT: usize = 1_000;

    /// The filter that the query describes.
    pub fn filter(&self) -> Result<EventFilter, QueryError> {
        let decision = self.decision.as_deref().map(str::parse::<Decision>).transpose();
        Ok(EventFilter {
            since: self.since.map(Micros),
            until: self.until.map(Micros),
            unit: self.unit.clone(),
            symbol: self.symbol.clone(),
            level: self.level,
            decision: decision.map_err(|error| QueryError::Bad { field: "decision", why: error.to_string() })?,
            correlation_id: self.correlation_id.clone(),
            grep: self.grep.clone(),
        })
    }

    fn before(&self) -> Result<EventId, QueryError> {
        let Some(cursor) = &self.cursor else { return Ok(EventId::MAX) };
        cursor.parse().map_err(|_| QueryError::Bad { field: "cursor", why: "not the `next` of an answer".into() })
    }
}

/// A page of events, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventPage {
    /// The events (SPEC §4.1 plus `id`).
    pub events: Vec<Box<RawValue>>,
    /// Where the next page goes on; null at the end. A page may be short of its limit before that.
    pub next: Option<String>,
}

impl EventPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &EventQuery) -> Result<Self, QueryError> {
        let (filter, mut before) = (query.filter()?, query.before()?);
        let limit = query.limit.unwrap_or(50).clamp(1, EventQuery::MAX_LIMIT);
        let until = Instant::now() + PAGE_TIME;
        let mut page = Self { events: Vec::new(), next: None };
        loop {
            let found = store.search(&filter, before, limit - page.events.len(), BLOCKS_A_SNAPSHOT)?;
            page.events.append(&mut events_json(&found.events));
            page.next = found.next.map(|next| next.to_string());
            match found.next {
                Some(next) if page.events.len() < limit && Instant::now() < until => before = next,
                _ => return Ok(page),
            }
        }
    }
}

/// The wire form of each event, with the whole message.
pub fn events_json(events: &EventBatch) -> Vec<Box<RawValue>> {
    events.iter().filter_map(|event| serde_json::value::to_raw_value(&event.json(usize::MAX)).ok()).collect()
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterAnswer {
    /// `YYYYMMDDHH`, UTC.
    pub hour: String,
    /// `unit`, `symbol` or `errors`.
    pub kind: String,
    /// The unit or symbol.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// What counters to list, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CounterQuery {
    /// `unit`, `symbol` or `errors`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The unit or symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// A list of counters.
#[derive(Debug, Serialize, Deserialize)]
pub struct CounterList {
    /// By hour, kind and name.
    pub counters: Vec<CounterAnswer>,
    /// Null: the list is whole.
    pub next: Option<String>,
}

impl CounterList {
    /// The most counters of an answer: 90 days of a few dozen names.
    const MAX: usize = 500_000;

    /// Lists them.
    pub fn find(store: &Store, query: &CounterQuery) -> Result<Self, QueryError> {
        let kind = match query.kind.as_deref() {
            None => None,
            Some(word) => match CounterKind::ALL.into_iter().find(|kind| kind.as_str() == word) {
                None => return Err(QueryError::Bad { field: "kind", why: "use unit, symbol or errors".into() }),
                kind => kind,
            },
        };
        let filter = CounterFilter {
            kind,
            name: query.name.clone(),
            since: query.since.map(|since| Micros(since).hour()),
            // An hour that has begun before `until` is listed.
            until: query.until.map(|until| Micros(until.saturating_add(Micros::HOUR - 1)).hour()),
        };
        let counters = store.counters(&filter, Self::MAX)?;
        Ok(Self { counters: counters.into_iter().map(counter).collect(), next: None })
    }
}

fn counter(counter: Counter) -> CounterAnswer {
    CounterAnswer {
        hour: counter.hour.to_string(),
        kind: counter.kind.as_str().to_owned(),
        name: counter.name,
        count: counter.count,
    }
}

/// Who said what about an intent, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteAnswer {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When, RFC 3339.
    pub at: String,
}

impl From<&Note> for NoteAnswer {
    fn from(note: &Note) -> Self {
        Self { by: note.by.clone(), why: note.why.clone(), at: note.at.rfc3339() }
    }
}

/// One intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentAnswer {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub state: IntentState,
    /// How bad.
    pub severity: Severity,
    /// The rule that opened it.
    pub rule: String,
    /// `unit`, `symbol`, `model`, ….
    pub subject_kind: String,
    /// The unit, symbol, model, ….
    pub subject: String,
    /// The window, in the rule's words.
    pub window: String,
    /// One sentence.
    pub reason: String,
    /// What to do.
    pub suggested_action: String,
    /// The figure.
    pub count: u64,
    /// What it passed.
    pub threshold: u64,
    /// RFC 3339.
    pub opened_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Who has it.
    pub acknowledged: Option<NoteAnswer>,
    /// Who or what ended it.
    pub resolved: Option<NoteAnswer>,
}

impl From<&Intent> for IntentAnswer {
    fn from(intent: &Intent) -> Self {
        let subject = &intent.key.subject;
        Self {
            id: intent.id.0,
            state: intent.state(),
            severity: intent.severity,
            rule: intent.key.rule.clone(),
            subject_kind: subject.kind().to_owned(),
            subject: subject.to_string(),
            window: intent.key.window.clone(),
            reason: intent.reason.clone(),
            suggested_action: intent.suggested_action.clone(),
            count: intent.count,
            threshold: intent.threshold,
            opened_at: intent.opened_at.rfc3339(),
            updated_at: intent.updated_at.rfc3339(),
            acknowledged: intent.acknowledged.as_ref().map(NoteAnswer::from),
            resolved: intent.resolved.as_ref().map(NoteAnswer::from),
        }
    }
}

/// Which intents, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntentQuery {
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<IntentState>,
    /// Only about this unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of intents, newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct IntentPage {
    /// The intents.
    pub intents: Vec<IntentAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl IntentPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &IntentQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::Bad { field: "cursor", why: "not the `next` of an answer".into() }),
        };
        let limit = query.limit.unwrap_or(50).clamp(1, EventQuery::MAX_LIMIT);
        let intents = store.intents(query.state, query.unit.as_deref(), IntentId(before), limit)?;
        let next = (intents.len() == limit).then(|| intents.last().map(|intent| intent.id.to_string())).flatten();
        Ok(Self { intents: intents.iter().map(IntentAnswer::from).collect(), next })
    }
}

/// One gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapAnswer {
    /// The id of its event.
    pub id: EventId,
    /// One sentence.
    pub summary: String,
    /// What is known of it; instants in microseconds since the epoch.
    pub gap: Gap,
}

impl From<StoredGap> for GapAnswer {
    fn from(stored: StoredGap) -> Self {
        Self { id: stored.id, summary: stored.gap.to_string(), gap: stored.gap }
    }
}

/// Health with everything an operator may see.
#[derive(Debug, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// The predecessor's lines (SPEC §4.5).
    pub lines: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub health: Health,
    /// Every component.
    pub components: Vec<Component>,
    /// The newest gap, if there ever was one.
    pub last_gap: Option<GapAnswer>,
}

/// What the daemon is doing.
#[derive(Debug, Serialize)]
pub struct StatusAnswer {
    /// The program's version.
    pub version: String,
    /// When the daemon started; null when only the file was asked.
    #[serde(serialize_with = "rfc3339_option")]
    pub started: Option<Micros>,
    /// The data file.
    pub data_file: String,
    /// Its size.
    pub data_file_bytes: u64,
    /// Events ever stored.
    pub events: u64,
    /// Events kept.
    pub events_kept: u64,
    /// The newest event.
    pub last_event_id: EventId,
    /// When it was committed.
    #[serde(serialize_with = "rfc3339")]
    pub last_event_at: Micros,
    /// The journal's cursor.
    pub journal_cursor: Option<String>,
    /// The time of the entry that it points at.
    #[serde(serialize_with = "rfc3339_option")]
    pub journal_at: Option<Micros>,
    /// The newest tick: rules know everything up to here.
    #[serde(serialize_with = "rfc3339_option")]
    pub tick: Option<Micros>,
    /// Stored events that Redis does not have yet; null when there is no mirror.
    pub mirror_lag_events: Option<u64>,
    /// Intents that are not resolved.
    pub intents_open: usize,
    /// Gaps on record.
    pub gaps: u64,
    /// Events an hour for the present and the last hour, over all units.
    pub events_this_hour: u64,
    /// As above, the hour before.
    pub events_last_hour: u64,
}

impl StatusAnswer {
    /// Looks everything up.
    pub fn find(store: &Store, started: Option<Micros>, lag: Option<u64>, now: Micros) -> Result<Self, StoreError> {
        let FeedState { last, events, kept, position, tick, .. } = store.feed();
        let hour = |hour: Hour| -> Result<u64, StoreError> {
            let filter = CounterFilter {
                kind: Some(CounterKind::Unit),
                since: Some(hour),
                until: Some(hour.next()),
                ..CounterFilter::default()
            };
            Ok(store.counters(&filter, usize::MAX)?.iter().map(|counter| counter.count).sum())
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            data_file: store.path().display().to_string(),
            data_file_bytes: std::fs::metadata(store.path()).map_or(0, |metadata| metadata.len()),
            events,
            events_kept: kept,
            last_event_id: last,
            last_event_at: Micros::from_millis(last.ms()),
            journal_at: position.as_ref().map(|position| position.ts),
            journal_cursor: position.map(|position| position.cursor),
            tick,
            mirror_lag_events: lag,
            intents_open: open_intents(store)?,
            gaps: store.gap_count()?,
            events_this_hour: hour(now.hour())?,
            events_last_hour: hour(Hour(now.hour().0.saturating_sub(1)))?,
        })
    }
}

/// How many intents are not resolved.
pub fn open_intents(store: &Store) -> Result<usize, StoreError> {
    let all = store.intents(None, None, IntentId(u64::MAX), usize::MAX)?;
    Ok(all.iter().filter(|intent| intent.resolved.is_none()).count())
}
