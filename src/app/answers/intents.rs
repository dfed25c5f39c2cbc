use serde::{Deserialize, Serialize};

use super::{EventQuery, QueryError};
use crate::domain::id::IntentId;
use crate::domain::intent::{Intent, IntentState, Note, Severity};
use crate::store::{Store, StoreError};

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

/// How many intents are not resolved.
pub fn open_intents(store: &Store) -> Result<usize, StoreError> {
    let all = store.intents(None, None, IntentId(u64::MAX), usize::MAX)?;
    Ok(all.iter().filter(|intent| intent.resolved.is_none()).count())
}
