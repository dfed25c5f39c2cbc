//! What changes answer. An answer that is kept under an `Idempotency-Key` is made of what was kept and of nothing else,
//! so it is the same the second time, whatever has happened since.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::revision;
use crate::app::registry::{Deleted, Judged, Moved, Registered, RolledBack};
use crate::domain::gates::Verdict;
use crate::domain::model::{EvaluationId, ModelId, ModelStatus, VersionName};
use crate::domain::time::{Micros, rfc3339};
use crate::store::Approval;

/// A version that was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisteredAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version, under the name that it has from now on.
    pub version: VersionName,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
}

impl From<Registered> for RegisteredAnswer {
    fn from(done: Registered) -> Self {
        Self { model_id: done.model, version: done.version, status: done.status, revision: revision(done.revision) }
    }
}

/// A version that went into production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotedAnswer {
    /// True: what did not succeed is a refusal.
    pub success: bool,
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
    /// Whether it went past its gates.
    pub forced: bool,
    /// Who it was, by their credential.
    pub promoted_by: String,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
    /// What those who load it should know: the pointer on the disk is not there yet, or a file is missing.
    pub warning: Option<String>,
}

/// A version that came back into production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolledBackAnswer {
    /// True: what did not succeed is a refusal.
    pub success: bool,
    /// The model.
    pub model_id: ModelId,
    /// What is in production.
    pub version: VersionName,
    /// What was in production until then.
    pub previous: Option<VersionName>,
    /// Whether anything changed; not where the version was in production already.
    pub changed: bool,
    /// Who it was, by their credential.
    pub rollback_by: String,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
    /// What those who load it should know: the pointer on the disk is not there yet, or a file is missing.
    pub warning: Option<String>,
}

impl RolledBackAnswer {
    /// What came of the rollback of `by`.
    pub fn of(done: RolledBack, by: &str) -> Self {
        Self {
            success: true,
            model_id: done.model,
            version: done.version,
            previous: done.previous,
            changed: done.changed,
            rollback_by: by.to_owned(),
            revision: revision(done.revision),
            warning: done.warning,
        }
    }
}

/// A version that went from one status to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// Where it stood.
    pub from: ModelStatus,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
}

impl From<Moved> for MovedAnswer {
    fn from(done: Moved) -> Self {
        Self {
            model_id: done.model,
            version: done.version,
            from: done.from,
            status: done.status,
            revision: revision(done.revision),
        }
    }
}

/// A version that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version; its name is never given again.
    pub version: VersionName,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
}

impl From<Deleted> for DeletedAnswer {
    fn from(done: Deleted) -> Self {
        Self { model_id: done.model, version: done.version, revision: revision(done.revision) }
    }
}

/// What the gates made of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version.
    pub version: VersionName,
    /// The evaluation that was recorded; null where the gates were merely applied.
    pub evaluation: Option<EvaluationId>,
    /// Whether the five plain gates let it pass.
    pub passed: bool,
    /// 0 to 100.
    pub promotion_score: f64,
    /// What it failed on; empty where it passed.
    pub failure_reason: String,
    /// Where the version stood.
    pub from: ModelStatus,
    /// Where it stands: it moves on as far as its gates let it by themselves.
    pub status: ModelStatus,
    /// What the gates say on the way to each goal.
    pub verdicts: Vec<Verdict>,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
}

impl From<Judged> for JudgedAnswer {
    fn from(done: Judged) -> Self {
        Self {
            model_id: done.model,
            version: done.version,
            evaluation: done.evaluation,
            passed: done.passed,
            promotion_score: done.score,
            failure_reason: done.failure_reason,
            from: done.from,
            status: done.status,
            verdicts: done.verdicts,
            revision: revision(done.revision),
        }
    }
}

/// A promotion that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalAnswer {
    /// The model.
    pub model_id: ModelId,
    /// The version that is to go into production.
    pub version: VersionName,
    /// What was in production when it was asked for; once that is another one, it has to be asked for again.
    pub replaces: Option<VersionName>,
    /// Who asked.
    pub asked_by: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub asked_at: Micros,
    /// It cannot be approved from then on.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub expires_at: Micros,
    /// Why.
    pub why: String,
    /// Whether it goes past the gates.
    pub force: bool,
}

impl From<&Approval> for ApprovalAnswer {
    fn from(approval: &Approval) -> Self {
        Self {
            model_id: approval.model.clone(),
            version: approval.version.clone(),
            replaces: approval.replaces.clone(),
            asked_by: approval.asked_by.clone(),
            asked_at: approval.asked_at,
            expires_at: approval.expires_at,
            why: approval.why.clone(),
            force: approval.force,
        }
    }
}

/// A promotion that was asked for and waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingAnswer {
    /// False: it is not in production.
    pub success: bool,
    /// The model.
    pub model_id: ModelId,
    /// The version that is to go into production.
    pub version: VersionName,
    /// What it waits for.
    pub approval: WaitsFor,
    /// The model's revision since: the `ETag` without its quotation marks.
    pub revision: String,
}

/// What a promotion waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitsFor {
    /// Who asked; somebody else has to approve.
    pub asked_by: String,
    /// It cannot be approved from then on.
    #[serde(with = "rfc3339")]
    #[schemars(with = "Micros")]
    pub expires_at: Micros,
}
