use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::job::{JobId, Trigger};
use super::model::{ModelId, ModelType, VersionName};
use super::time::Micros;

/// Every type that is published (SPEC §4.4).
pub const PUBLISHED: [&str; 6] = [
    "clm.training_job_created",
    "clm.model_trained",
    "clm.model_evaluated",
    "clm.model_promoted",
    "clm.model_rollback",
    "clm.strategy_candidate_created",
];

/// An event of the bus (SPEC §4.4), committed to the outbox with what it tells of. Followers add [`message_id`], by which
/// a receiver knows a repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusEvent {
    /// `clm.model_promoted`, …: the stream is `quantum:stream:<event type>`.
    pub event_type: String,
    /// What it tells.
    pub payload: Value,
    /// What belongs together: the model and its version, or the job.
    pub correlation_id: String,
    /// When it happened, RFC 3339.
    pub timestamp: String,
}

impl BusEvent {
    fn new(event_type: &str, model: &ModelId, version: &VersionName, at: Micros, payload: Value) -> Self {
        Self::about(event_type, format!("{model}/{version}"), at, payload)
    }

    fn about(event_type: &str, correlation_id: String, at: Micros, payload: Value) -> Self {
        Self { event_type: event_type.to_owned(), payload, correlation_id, timestamp: at.rfc3339() }
    }

    /// A training was asked for.
    pub fn job_created(job: JobId, model_type: ModelType, trigger: Trigger, at: Micros) -> Self {
        let payload = json!({
            "job_id": job, "model_type": model_type, "trigger_reason": trigger, "created_at": at.rfc3339(),
        });
        Self::about("clm.training_job_created", job.to_string(), at, payload)
    }

    /// A version went into production.
    pub fn promoted(
        model: &ModelId,
        version: &VersionName,
        previous: Option<&VersionName>,
        by: &str,
        at: Micros,
    ) -> Self {
        let payload = json!({
            "model_id": model, "version": version, "previous_version": previous, "promoted_by": by,
            "promoted_at": at.rfc3339(),
        });
        Self::new("clm.model_promoted", model, version, at, payload)
    }

    /// A version came back.
    pub fn rolled_back(
        model: &ModelId,
        from: Option<&VersionName>,
        to: &VersionName,
        why: &str,
        by: &str,
        at: Micros,
    ) -> Self {
        let payload = json!({
            "model_id": model, "from_version": from, "to_version": to, "reason": why, "rollback_by": by,
            "rollback_at": at.rfc3339(),
        });
        Self::new("clm.model_rollback", model, to, at, payload)
    }

    /// A version was evaluated.
    pub fn evaluated(
        model: &ModelId,
        version: &VersionName,
        passed: bool,
        score: f64,
        metrics: Value,
        at: Micros,
    ) -> Self {
        let payload = json!({
            "model_id": model, "version": version, "passed": passed, "promotion_score": score, "metrics": metrics,
            "evaluated_at": at.rfc3339(),
        });
        Self::new("clm.model_evaluated", model, version, at, payload)
    }

    /// A version was trained, or could not be: then there may be none.
    pub fn trained(
        job: Option<&str>,
        model: &ModelId,
        version: Option<&VersionName>,
        model_type: ModelType,
        success: bool,
        metrics: Value,
        at: Micros,
    ) -> Self {
        let payload = json!({
            "job_id": job, "model_id": model, "version": version, "model_type": model_type, "success": success,
            "train_metrics": metrics, "completed_at": at.rfc3339(),
        });
        match (version, job) {
            (Some(version), _) => Self::new("clm.model_trained", model, version, at, payload),
            (None, job) => Self::about("clm.model_trained", job.unwrap_or(model.as_str()).to_owned(), at, payload),
        }
    }
}

/// What a receiver knows a repeat by: the message's place in the outbox, and 64 bits of SHA-256 over what it says. The
/// place alone is given twice where an older data file was restored; with the digest only the very same message of the
/// very same instant has the same id. It holds no dot, which the signature of a webhook forbids.
pub fn message_id(seq: u64, at: Micros, payload: &str) -> String {
    let digest = Sha256::new().chain_update(seq.to_be_bytes()).chain_update(at.0.to_be_bytes()).chain_update(payload);
    digest.finalize().iter().take(8).fold(format!("{seq}-"), |mut id, byte| {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_messages_and_stays_the_same() {
        let id = message_id(42, Micros(7), "{}");
        assert_eq!(id, "42-6b52595db39f9ea0");
        for other in [message_id(43, Micros(7), "{}"), message_id(42, Micros(8), "{}"), message_id(42, Micros(7), "[]")]
        {
            assert_ne!(id, other);
        }
    }
}
