use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::query::{filled, limit};
use crate::domain::bus_in::{DeadLetter, LetterState, LetterStateName, Topic};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::{Store, StoreError};

/// The most letters of a page: one has up to 64 KiB.
const MOST: usize = 100;

/// A message of the bus that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterAnswer {
    /// Its number.
    pub number: u64,
    /// The message's type.
    pub r#type: Topic,
    /// Which entry of its stream it was.
    pub entry: String,
    /// When it was given up, RFC 3339.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// How often it was tried, by hand too.
    pub tries: u32,
    /// What was wrong the last time.
    pub error: String,
    /// What became of it.
    pub state: LetterStateName,
    /// Who replayed or discarded it.
    pub decided_by: Option<String>,
    /// When, RFC 3339.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub decided_at: Option<Micros>,
    /// What followed from it when it was replayed, or why it was discarded.
    pub outcome: Option<String>,
    /// Whether it was too large to be kept as a whole; it cannot be replayed then.
    pub cut: bool,
}

impl From<&DeadLetter> for DeadLetterAnswer {
    fn from(letter: &DeadLetter) -> Self {
        let (by, at, outcome) = match &letter.state {
            LetterState::Waiting => (None, None, None),
            LetterState::Replayed { by, at, outcome: said } | LetterState::Discarded { by, at, why: said } => {
                (Some(by.clone()), Some(*at), Some(said.clone()))
            }
        };
        Self {
            number: letter.number,
            r#type: letter.topic,
            entry: letter.entry.to_string(),
            at: letter.at,
            tries: letter.tries,
            error: letter.error.clone(),
            state: letter.state.name(),
            decided_by: by,
            decided_at: at,
            outcome,
            cut: letter.cut,
        }
    }
}

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldAnswer {
    /// Its name.
    pub name: String,
    /// Its value; what is not UTF-8 is replaced.
    pub value: String,
}

/// A message of the bus that came to nothing, with what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterDetail {
    /// What became of it.
    #[serde(flatten)]
    pub letter: DeadLetterAnswer,
    /// What it says, field by field.
    pub fields: Vec<FieldAnswer>,
}

impl From<&DeadLetter> for DeadLetterDetail {
    fn from(letter: &DeadLetter) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let field = |(name, value): (&[u8], &[u8])| FieldAnswer { name: text(name), value: text(value) };
        Self { letter: letter.into(), fields: letter.fields.iter().map(field).collect() }
    }
}

impl DeadLetterDetail {
    /// One letter. Blocks.
    pub fn find(store: &Store, number: u64) -> Result<Option<Self>, StoreError> {
        Ok(store.dead_letter(number)?.as_ref().map(Self::from))
    }
}

/// Which letters, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterQuery {
    /// Those in this state.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub state: Option<LetterStateName>,
    /// Those of this type.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub r#type: Option<Topic>,
    /// How many at most, from 1 to 100; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A page of letters, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterPage {
    /// The letters.
    pub dead_letters: Vec<DeadLetterAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl DeadLetterPage {
    /// Looks for a page. Blocks.
    pub fn find(store: &Store, query: &DeadLetterQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MOST)?;
        let mut letters = store.dead_letters(query.state, query.r#type, before, limit + 1)?;
        let more = letters.len() > limit;
        letters.truncate(limit);
        let next = letters.last().filter(|_| more).map(|letter| letter.number.to_string());
        Ok(Self { dead_letters: letters.iter().map(DeadLetterAnswer::from).collect(), next })
    }
}
