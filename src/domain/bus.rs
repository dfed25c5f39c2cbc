use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{ModelId, ModelType, VersionName};
use super::time::Micros;

/// An event of the bus (SPEC §4.4), committed to the outbox with what it tells of. Followers add the outbox's sequence,
/// by which a receiver knows a repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BusEvent {
    /// `clm.model_promoted`, …: the stream is `quantum:stream:<event type>`.
    pub event_type: String,
    /// What it tells.
    pub payload: Value,
    /// What belongs together; the model and its version.
    pub correlation_id: String,
    /// When it happened, RFC 3339.
    pub timestamp: String,
}

impl BusEvent {
    fn new(event_type: &str, model: &ModelId, version: &VersionName, at: Micros, payload: Value) -> Self {
        let correlation_id = format!("{model}/{version}");
        Self { event_type: event_type.to_owned(), payload, correlation_id, timestamp: at.rfc3339() }
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

    /// A version was trained, or could not be.
    pub fn trained(
        job: Option<&str>,
        model: &ModelId,
        version: &VersionName,
        model_type: ModelType,
        success: bool,
        metrics: Value,
        at: Micros,
    ) -> Self {
        let payload = json!({
            "job_id": job, "model_id": model, "version": version, "model_type": model_type, "success": success,
            "train_metrics": metrics, "completed_at": at.rfc3339(),
        });
        Self::new("clm.model_trained", model, version, at, payload)
    }
}
