use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryError;
use super::query::{MAX_LIMIT, filled, limit};
use crate::domain::job::JobId;
use crate::domain::model::{Hook, HookState, ModelId, VersionName};
use crate::store::Store;

/// A run of the promotion hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookAnswer {
    /// Its number.
    pub number: u64,
    /// The model.
    #[serde(rename = "model_id")]
    pub model: ModelId,
    /// What went into production.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
    /// When, RFC 3339.
    pub at: String,
    /// What became of it.
    pub state: HookState,
    /// The job that runs it; null of what was due before there were jobs.
    pub job: Option<JobId>,
    /// When it was over, RFC 3339.
    pub ended_at: Option<String>,
    /// Why it came to nothing; of a pending one, what happened the last time.
    pub why: Option<String>,
}

impl From<Hook> for HookAnswer {
    fn from(hook: Hook) -> Self {
        let Hook { number, model, version, previous, at, state, job, ended_at, why } = hook;
        let ended_at = ended_at.map(|at| at.rfc3339());
        Self { number, model, version, previous, at: at.rfc3339(), state, job, ended_at, why }
    }
}

/// Which runs of the hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookQuery {
    /// Those in this state.
    #[serde(default, deserialize_with = "filled")]
    pub state: Option<HookState>,
    /// How many at most.
    #[serde(default, deserialize_with = "filled")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<usize>,
    /// Where the page before this one ended: its `next`.
    #[serde(default, deserialize_with = "filled")]
    pub cursor: Option<String>,
}

/// A page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookPage {
    /// The runs.
    pub hooks: Vec<HookAnswer>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl HookPage {
    /// Looks for a page.
    pub fn find(store: &Store, query: &HookQuery) -> Result<Self, QueryError> {
        let before = match query.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(before)) => before,
            Some(Err(_)) => return Err(QueryError::cursor()),
        };
        let limit = limit(query.limit, MAX_LIMIT)?;
        let mut hooks = store.hooks(query.state, before, limit + 1)?;
        let more = hooks.len() > limit;
        hooks.truncate(limit);
        let next = hooks.last().filter(|_| more).map(|hook| hook.number.to_string());
        Ok(Self { hooks: hooks.into_iter().map(HookAnswer::from).collect(), next })
    }
}
