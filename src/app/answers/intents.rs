use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::query::{MAX_LIMIT, filled, limit};
use super::{EventQuery, QueryError};
use crate::config;
use crate::domain::counter::CounterKind;
use crate::domain::event::Level;
use crate::domain::id::IntentId;
use crate::domain::intent::{BY_RULE, Intent, IntentState, Note, Severity};
use crate::domain::rules::error_rate;
use crate::domain::time::{Hour, Micros};
use crate::store::{CounterFilter, Store, StoreError};

/// Who said what about an intent, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IntentQuery {
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub state: Option<IntentState>,
    /// Only about this unit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub unit: Option<String>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A page of intents, newest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MAX_LIMIT)?;
        let mut intents = store.intents(query.state, query.unit.as_deref(), IntentId(before), limit + 1)?;
        let more = intents.len() > limit;
        intents.truncate(limit);
        let next = intents.last().filter(|_| more).map(|intent| intent.id.to_string());
        Ok(Self { intents: intents.iter().map(IntentAnswer::from).collect(), next })
    }
}

/// One intent with what led to it and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IntentDetail {
    /// The intent.
    #[serde(flatten)]
    pub intent: IntentAnswer,
    /// What happened to it, the first thing first.
    pub history: Vec<HistoryEntry>,
    /// What it rests on; null where its rule has none to show.
    pub evidence: Option<Evidence>,
}

/// One step in an intent's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// `opened`, `updated`, `acknowledged` or `resolved`.
    pub what: String,
    /// When, RFC 3339.
    pub at: String,
    /// A user, or `rule`.
    pub by: String,
    /// The reason given.
    pub why: String,
}

/// What an intent rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The events behind it, as a query of `/api/events`.
    pub events: EventQuery,
    /// The figure in the hours around it: of its unit's events, those that are tagged `error`.
    pub hours: Vec<HourAnswer>,
    /// What the figure had to pass.
    pub threshold: u64,
}

/// A figure of one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HourAnswer {
    /// `YYYYMMDDHH`, UTC.
    pub hour: String,
    /// How many.
    pub count: u64,
}

/// Hours that the evidence shows before the intent's own, and after it.
const HOURS_BEFORE: u32 = 24;
const HOURS_AFTER: u32 = 6;

impl IntentDetail {
    /// Looks one up; `None` where there is no such intent. `limits` say which events its rule counts.
    pub fn find(store: &Store, limits: &config::Rules, id: IntentId, now: Micros) -> Result<Option<Self>, StoreError> {
        let Some(intent) = store.intent(id)? else { return Ok(None) };
        let evidence = match error_rate::about(&intent.key) {
            Some((unit, hour)) => {
                let level = limits.error_rate.limits(unit).least_severity;
                Some(Evidence::of_errors(store, unit, level, hour, intent.threshold, now)?)
            }
            None => None,
        };
        Ok(Some(Self { history: history(&intent), intent: IntentAnswer::from(&intent), evidence }))
    }
}

impl Evidence {
    fn of_errors(
        store: &Store,
        unit: &str,
        level: Level,
        hour: Hour,
        threshold: u64,
        now: Micros,
    ) -> Result<Self, StoreError> {
        let events = EventQuery {
            since: Some(hour.start()),
            until: Some(hour.end()),
            unit: Some(unit.to_owned()),
            level: Some(level),
            ..EventQuery::default()
        };
        let (from, until) = (
            Hour(hour.0.saturating_sub(HOURS_BEFORE)),
            Hour(hour.0.saturating_add(HOURS_AFTER + 1)).min(now.hour().next()).max(hour.next()),
        );
        let filter = CounterFilter {
            kind: Some(CounterKind::Errors),
            name: Some(unit.to_owned()),
            since: Some(from),
            until: Some(until),
            after: None,
        };
        let counters = store.counters(&filter, usize::MAX)?;
        let count = |hour| counters.iter().find(|counter| counter.hour == hour).map_or(0, |counter| counter.count);
        // An hour without an error has no counter, and is a figure all the same.
        let hours = (from.0..until.0).map(Hour);
        let hours = hours.map(|hour| HourAnswer { hour: hour.to_string(), count: count(hour) }).collect();
        Ok(Self { events, hours, threshold })
    }
}

fn history(intent: &Intent) -> Vec<HistoryEntry> {
    let step = |what: &str, note: &Note| HistoryEntry {
        what: what.to_owned(),
        at: note.at.rfc3339(),
        by: note.by.clone(),
        why: note.why.clone(),
    };
    let by_rule = |why: String, at| Note { by: BY_RULE.to_owned(), why, at };
    let mut history = vec![step("opened", &by_rule(format!("passed {}", intent.threshold), intent.opened_at))];
    if intent.updated_at > intent.opened_at {
        history.push(step("updated", &by_rule(intent.reason.clone(), intent.updated_at)));
    }
    history.extend(intent.acknowledged.as_ref().map(|note| step("acknowledged", note)));
    history.extend(intent.resolved.as_ref().map(|note| step("resolved", note)));
    // An update of the figure may come after somebody took it on.
    history.sort_by(|a, b| a.at.cmp(&b.at));
    history
}

/// How many intents are not resolved.
pub fn open_intents(store: &Store) -> Result<usize, StoreError> {
    let all = store.intents(None, None, IntentId(u64::MAX), usize::MAX)?;
    Ok(all.iter().filter(|intent| intent.resolved.is_none()).count())
}
