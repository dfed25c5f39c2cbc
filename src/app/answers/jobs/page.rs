use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::JobAnswer;
use crate::app::answers::QueryError;
use crate::app::answers::query::{MAX_LIMIT, filled, limit};
use crate::app::jobs::{JobError, Jobs};
use crate::domain::job::{JobId, JobState, Trigger, Waiting};
use crate::domain::model::{ModelId, ModelType};
use crate::store::{JobFilter, Store};

/// Which states, as a query says it: one of them, or several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// This one.
    One(JobState),
    /// Every state in which a worker has it, or may have it.
    Held,
    /// Every state in which something is still to happen.
    Open,
    /// Every state in which nothing is.
    Over,
}

/// A word that is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use pending, leased, running, lost, completed, failed, cancelled, or held, open or over for several at once")]
pub struct BadState;

impl StateFilter {
    /// Every word.
    pub fn all() -> impl Iterator<Item = Self> {
        JobState::ALL.into_iter().map(Self::One).chain([Self::Held, Self::Open, Self::Over])
    }

    /// As queries write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One(state) => state.as_str(),
            Self::Held => "held",
            Self::Open => "open",
            Self::Over => "over",
        }
    }

    /// Whether it is one of them.
    pub fn fits(self, state: JobState) -> bool {
        match self {
            Self::One(one) => one == state,
            Self::Held => state.is_held(),
            Self::Open => !state.is_over(),
            Self::Over => state.is_over(),
        }
    }
}

impl fmt::Display for StateFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StateFilter {
    type Err = BadState;

    fn from_str(text: &str) -> Result<Self, BadState> {
        Self::all().find(|filter| filter.as_str() == text).ok_or(BadState)
    }
}

impl Serialize for StateFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for StateFilter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StateFilter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::all().map(Self::as_str).collect::<Vec<_>>() })
    }
}

/// Which jobs, as a query says it; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobQuery {
    /// In this state: `pending`, `leased`, `running`, `lost`, `completed`, `failed`, `cancelled`; or `held`, `open`, `over`
    /// for several at once.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub state: Option<StateFilter>,
    /// Of this model.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model: Option<ModelId>,
    /// Of models of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub model_type: Option<ModelType>,
    /// Asked for upon this.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub trigger: Option<Trigger>,
    /// How many at most, from 1 to 1000; 50 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where to go on: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub cursor: Option<String>,
}

impl JobQuery {
    /// What the store is asked for.
    fn filter(&self) -> JobFilter {
        let states = |filter: StateFilter| JobState::ALL.into_iter().filter(|state| filter.fits(*state)).collect();
        JobFilter {
            states: self.state.map(states).unwrap_or_default(),
            model: self.model.clone(),
            model_type: self.model_type,
            trigger: self.trigger,
            trainings: false,
        }
    }

    /// Whether something that waits may be among what it finds.
    fn may_wait(&self) -> bool {
        self.state.is_none_or(|state| state.fits(JobState::Pending))
    }
}

/// A page of jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl JobPage {
    /// Looks for a page.
    pub fn find(jobs: &Jobs, store: &Store, query: &JobQuery) -> Result<Self, JobError> {
        let waiting = if query.may_wait() { jobs.all_waiting()? } else { BTreeMap::new() };
        Self::read(store, query, waiting)
    }

    /// The same with what is known already of what waits for what; without a daemon, that is nothing.
    pub fn read(store: &Store, query: &JobQuery, mut waiting: BTreeMap<JobId, Waiting>) -> Result<Self, JobError> {
        let most = limit(query.limit, MAX_LIMIT)?;
        let mut before = match query.cursor.as_deref().map(str::parse) {
            None => None,
            Some(Ok(before)) => Some(before),
            Some(Err(_)) => return Err(QueryError::cursor().into()),
        };
        let (filter, mut found) = (query.filter(), Vec::new());
        // The store answers with where it is when it has looked at many; a page without a row would be none.
        loop {
            let (mut rows, next) = store.jobs(&filter, before, most)?;
            found.append(&mut rows);
            before = next;
            if before.is_none() || !found.is_empty() {
                break;
            }
        }
        let jobs = found.iter().map(|job| JobAnswer::of(job, waiting.remove(&job.id))).collect();
        Ok(Self { jobs, next: before.map(|id| id.to_string()) })
    }
}
