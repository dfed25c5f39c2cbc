//! Examples about jobs.

use serde_json::{Value, json};

use super::registry::{MODEL, VERSION};

pub(in crate::http::api) const JOB: &str = "job-17";

const RETRY: &str = "job-18";

pub(in crate::http::api) const LOG_TEXT: &str =
    "2026-01-17T03:31:12.402Z note train begins\n2026-01-17T03:31:14.118Z out [100] valid-logloss: 0.6712\n";

const FIRST: &str = "2026-01-17T03:31:12.402Z";
const SECOND: &str = "2026-01-17T03:31:14.118Z";

pub(in crate::http::api) fn job() -> Value {
    json!({
        "job_id": JOB, "kind": "training", "model_id": MODEL, "model_type": "xgboost", "symbol": "btcusdt",
        "timeframe": "1h", "regime": null, "state": "running",
        "step": { "number": 3, "of": 10, "step": "train", "tries": 1 }, "priority": "normal",
        "trigger_reason": "drift_detected", "triggered_by": "scheduler", "evidence": "drift score 0.42",
        "created_at": "2026-01-17T03:30:00.000Z", "started_at": "2026-01-17T03:30:04.000Z", "ended_at": null,
        "retry_of": null, "worker": "trainer-1", "progress": 0.42, "message": "round 420 of 1000", "waiting": null,
        "version": null, "failure": null, "cancel": null,
    })
}

fn not_begun() -> Value {
    let mut job = job();
    for key in ["step", "started_at", "worker", "progress", "message"] {
        job[key] = Value::Null;
    }
    (job["state"], job["trigger_reason"]) = (json!("pending"), json!("manual"));
    (job["triggered_by"], job["evidence"]) = (json!("anna"), json!("the exchange changed its fees"));
    job
}

pub(in crate::http::api) fn pending() -> Value {
    not_begun()
}

pub(in crate::http::api) fn again() -> Value {
    let mut job = not_begun();
    (job["job_id"], job["retry_of"], job["evidence"]) = (json!(RETRY), json!(JOB), json!("job-17 again"));
    job
}

pub(in crate::http::api) fn cancelled() -> Value {
    let mut job = not_begun();
    (job["state"], job["ended_at"]) = (json!("cancelled"), json!("2026-01-17T03:32:00.000Z"));
    job["cancel"] = json!({
        "by": "anna", "why": "the exchange changed its fees: the data is of no use", "at": "2026-01-17T03:32:00.000Z",
    });
    job
}

pub(in crate::http::api) fn new_training() -> Value {
    json!({
        "model_type": "xgboost", "symbol": "BTCUSDT", "timeframe": "1h", "dataset_span_days": 180,
        "training_params": { "max_depth": 6, "eta": 0.1 }, "priority": "high", "why": "the exchange changed its fees",
    })
}

fn resources() -> Value {
    json!({ "memory_peak": 734_003_200, "cpu_ms": 48_210, "output_bytes": 18_204 })
}

fn step(number: u8, name: &str, state: &str, outcome: Value) -> Value {
    json!({
        "number": number, "step": name, "state": state, "duration_ms": 1_240,
        "tries": [{
            "epoch": 1, "worker": "trainer-1", "began_at": "2026-01-17T03:31:00.000Z",
            "ended_at": if outcome.is_null() { Value::Null } else { json!("2026-01-17T03:31:01.240Z") },
            "duration_ms": 1_240, "outcome": outcome, "failure": null, "inputs": super::HASH, "reused": false,
            "resources": resources(),
        }],
    })
}

pub(in crate::http::api) fn job_detail() -> Value {
    let mut detail = job();
    let more = json!({
        "dataset_span_days": 90, "training_params": { "max_depth": 6, "eta": 0.1 }, "feature_config": null,
        "parent_version": null, "strategy_candidate_id": null, "hook": null, "epoch": 1,
        "lease": {
            "worker": "trainer-1", "host": "gpu-7", "since": "2026-01-17T03:30:04.000Z",
            "heard_at": "2026-01-17T03:31:15.000Z", "moved_at": "2026-01-17T03:31:15.000Z",
        },
        "setbacks": 0, "not_before": null,
        "steps": [step(2, "data", "done", json!("done")), step(3, "train", "running", Value::Null)],
        "resources": resources(), "results": { "data": 812 },
        "outcome": {
            "version": VERSION, "status": "shadow", "evaluation": 41, "evaluation_type": "walk_forward", "passed": true,
            "promotion_score": 71.5, "sharpe": 1.45, "failure_reason": "",
        },
        "earlier": [],
        "later": [{ "job_id": RETRY, "state": "pending", "created_at": "2026-01-17T04:00:00.000Z" }],
    });
    if let (Value::Object(detail), Value::Object(more)) = (&mut detail, more) {
        detail.extend(more);
    }
    detail
}

pub(in crate::http::api) fn results() -> Value {
    json!({
        "job_id": JOB,
        "results": {
            "data": { "result": { "rows": 2_160 }, "artifacts": {} },
            "train": { "result": { "feature_count": 49 }, "artifacts": { "model.json": super::HASH } },
        },
    })
}

pub(in crate::http::api) fn manifest() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "state": "sound", "in_place": null, "size": 184_320,
        "files": [{ "path": "model.json", "size": 184_320, "sha256": super::HASH }],
    })
}

pub(in crate::http::api) fn worker() -> Value {
    json!({
        "name": "trainer-1", "host": "gpu-7", "programs": { "xgboost": ["data", "train", "evaluate"] }, "hook": false,
        "here": true, "heard_at": "2026-01-17T03:31:15.000Z", "jobs": [JOB],
    })
}

fn lines() -> Value {
    json!([
        { "offset": 0, "at": FIRST, "stream": "note", "text": "train begins" },
        { "offset": 43, "at": SECOND, "stream": "out", "text": "[100] valid-logloss: 0.6712" },
    ])
}

pub(in crate::http::api) fn log() -> Value {
    json!({
        "job_id": JOB, "epoch": 1, "epochs": [1], "lines": lines(), "first": 0, "next": 100, "end": 100, "skipped": 0,
    })
}

pub(in crate::http::api) fn log_events() -> String {
    format!(
        "event: lines\nid: 100\ndata: {}\n\nevent: end\ndata: {}\n\n",
        lines(),
        json!({ "in_words": "The job is completed" })
    )
}

fn clm() -> Value {
    json!({
        "model_type": "xgboost", "status": "completed", "trigger_reason": "manual", "triggered_by": "anna",
        "triggered_at": "2026-01-17T03:30:00.000Z", "started_at": "2026-01-17T03:30:04.000Z",
        "completed_at": "2026-01-17T03:46:09.000Z", "error_message": null,
    })
}

pub(in crate::http::api) fn clm_job() -> Value {
    let mut job = clm();
    job["job_id"] = json!(JOB);
    job
}

pub(in crate::http::api) fn clm_job_detail() -> Value {
    let mut job = clm();
    let more = json!({
        "id": JOB, "symbol": "BTCUSDT", "timeframe": "1h", "regime": null, "created_at": "2026-01-17T03:30:00.000Z",
        "dataset_span_days": 90, "training_params": { "max_depth": 6, "eta": 0.1 }, "feature_config": null,
        "parent_version": null, "strategy_candidate_id": null, "model_id": MODEL, "version": VERSION,
    });
    if let (Value::Object(job), Value::Object(more)) = (&mut job, more) {
        job.extend(more);
    }
    job
}

pub(in crate::http::api) fn clm_train() -> Value {
    json!({
        "job_id": JOB, "model_type": "xgboost", "status": "pending", "trigger_reason": "manual", "triggered_by": "anna",
        "created_at": "2026-01-17T03:30:00.000Z",
    })
}
