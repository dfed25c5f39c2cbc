use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::answers::QueryError;
use crate::app::answers::query::{filled, instant, written};
use crate::app::registry::{HistoryQuery, Registry, RegistryError, Reigning};
use crate::domain::gates::Verdict;
use crate::domain::model::{HistoryEntry, ModelId, ModelStatus, Step, VersionName};
use crate::domain::time::{Micros, rfc3339, rfc3339_option};
use crate::store::Reign;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// A version was registered.
    Registered,
    /// A version was imported.
    Imported,
    /// A version was evaluated.
    Evaluated,
    /// A version went from one status to another, other than into production.
    Moved,
    /// A version went into production.
    Promoted,
    /// A version that had been in production came back.
    RolledBack,
    /// Somebody asked for a second person's approval.
    ApprovalAsked,
    /// A second person refused, or the first withdrew.
    ApprovalDenied,
    /// A version was deleted.
    Deleted,
}

impl StepName {
    /// As API and commands write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Imported => "imported",
            Self::Evaluated => "evaluated",
            Self::Moved => "moved",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::ApprovalAsked => "approval_asked",
            Self::ApprovalDenied => "approval_denied",
            Self::Deleted => "deleted",
        }
    }
}

/// One entry of a model's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryStep {
    /// Its number within the model: 1, 2, 3, …, without a hole.
    pub number: u64,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// What happened.
    pub step: StepName,
    /// Where the version stood before; null where it did not move.
    pub from: Option<ModelStatus>,
    /// Where it stands after; null where it did not move.
    pub to: Option<ModelStatus>,
    /// What was in production until then, where that changed.
    pub previous: Option<VersionName>,
    /// What is in production after it.
    pub production: Option<VersionName>,
    /// Whether it went past the gates.
    pub forced: bool,
    /// Who.
    pub by: String,
    /// Who approved, where a second person had to.
    pub approved_by: Option<String>,
    /// Why, in their words.
    pub why: String,
    /// What the gates said.
    pub verdict: Option<Verdict>,
}

impl From<&HistoryEntry> for RegistryStep {
    fn from(entry: &HistoryEntry) -> Self {
        use ModelStatus::{Production, Retired};
        let (step, from, to, previous, forced) = match &entry.step {
            Step::Registered => (StepName::Registered, None, None, None, false),
            Step::Imported => (StepName::Imported, None, None, None, false),
            Step::Evaluated => (StepName::Evaluated, None, None, None, false),
            Step::Moved { from, to } => (StepName::Moved, Some(*from), Some(*to), None, false),
            Step::Promoted { from, previous, forced } => {
                (StepName::Promoted, Some(*from), Some(Production), previous.clone(), *forced)
            }
            Step::RolledBack { previous } => {
                (StepName::RolledBack, Some(Retired), Some(Production), previous.clone(), false)
            }
            Step::ApprovalAsked => (StepName::ApprovalAsked, None, None, None, false),
            Step::ApprovalDenied => (StepName::ApprovalDenied, None, None, None, false),
            Step::Deleted => (StepName::Deleted, None, None, None, false),
        };
        Self {
            number: entry.revision,
            at: entry.at,
            model_id: entry.model.clone(),
            version: entry.version.clone(),
            step,
            from,
            to,
            previous,
            production: entry.production.clone(),
            forced,
            by: entry.by.clone(),
            approved_by: entry.approved_by.clone(),
            why: entry.why.clone(),
            verdict: entry.verdict.clone(),
        }
    }
}

/// What happened to a model, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryPage {
    /// The entries.
    pub history: Vec<RegistryStep>,
    /// Where the next page goes on; null at the end.
    pub next: Option<String>,
}

impl HistoryPage {
    /// Looks for a page; `None` where there is no such model.
    pub fn find(registry: &Registry, model: &ModelId, query: &HistoryQuery) -> Result<Option<Self>, QueryError> {
        let Some(page) = registry.history(model, query)? else { return Ok(None) };
        let history = page.rows.iter().map(RegistryStep::from).collect();
        Ok(Some(Self { history, next: page.next }))
    }
}

/// At which instant, as a query says it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AtQuery {
    /// The instant, RFC 3339, or microseconds since the epoch; now where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "filled", serialize_with = "written")]
    #[schemars(schema_with = "instant")]
    pub at: Option<Micros>,
}

/// What was in production of a model at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReignAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version; null where none was.
    pub version: Option<VersionName>,
    /// Since when.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<Micros>")]
    pub since: Option<Micros>,
    /// The number of the history's entry that put it there.
    pub number: Option<u64>,
}

impl From<Reigning> for ReignAnswer {
    fn from(Reigning { model, reign }: Reigning) -> Self {
        let (version, since, number) = match reign {
            Some(Reign { since, revision, version }) => (Some(version), Some(since), Some(revision)),
            None => (None, None, None),
        };
        Self { model_id: model, version, since, number }
    }
}

/// What was in production at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReignList {
    /// The instant.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub at: Micros,
    /// Every model that there was then, by id.
    pub production: Vec<ReignAnswer>,
}

impl ReignList {
    /// Looks it up, of one model or of all.
    pub fn find(registry: &Registry, model: Option<&ModelId>, at: Micros) -> Result<Self, RegistryError> {
        let production = registry.production_at(model, at)?.into_iter().map(ReignAnswer::from).collect();
        Ok(Self { at, production })
    }
}
