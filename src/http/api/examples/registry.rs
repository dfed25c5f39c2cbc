//! Examples about models.

use serde_json::{Value, json};

pub(in crate::http::api) const MODEL: &str = "xgboost_btcusdt_1h";
pub(in crate::http::api) const VERSION: &str = "v20260117_034606";
pub(in crate::http::api) const BEFORE: &str = "v20260110_034502";

pub(in crate::http::api) fn model() -> Value {
    json!({
        "model_id": MODEL, "model_type": "xgboost", "symbol": "btcusdt", "timeframe": "1h", "regime": null,
        "created_at": "2026-01-03T03:44:58.000Z", "changed_at": "2026-01-18T09:12:40.000Z", "revision": "r17", "promoted_at": "2026-01-18T09:12:40.000Z",
        "production": { "version": VERSION, "since": "2026-01-18T09:12:40.000Z", "score": 71.5, "sharpe": 1.45, "forced": false },
        "versions": 3, "evaluations": 7,
        "status_counts": {
            "training": 0, "shadow": 1, "candidate": 0, "production": 1, "retired": 1, "failed": 0,
        },
    })
}

pub(in crate::http::api) fn version() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "model_type": "xgboost", "symbol": "btcusdt", "timeframe": "1h",
        "regime": null, "status": "production", "created_at": "2026-01-17T03:46:06.000Z",
        "promoted_at": "2026-01-18T09:12:40.000Z", "retired_at": null, "parent": BEFORE,
        "job": "7f3c1c1e", "imported_from": null,
        "data": { "from": "2025-10-01T00:00:00.000Z", "until": "2025-12-30T00:00:00.000Z" },
        "parameters": { "max_depth": 6, "eta": 0.1 }, "feature_count": 49, "code_revision": "9c1f2ab",
        "train_metrics": { "accuracy": 0.61 }, "validation_metrics": { "accuracy": 0.57 },
        "tags": { "team": "alpha" }, "score": 71.5, "sharpe": 1.45,
        "artifacts": { "state": "sound", "in_place": null, "files": 1, "size": 184_320 },
        "forced": [], "deleted": null,
    })
}

pub(in crate::http::api) fn model_detail() -> Value {
    let mut model = model();
    (model["before"], model["approvals"]) = (json!(BEFORE), json!([]));
    model
}

pub(in crate::http::api) fn version_detail() -> Value {
    let mut version = version();
    version["revision"] = json!("r17");
    version["files"] = json!([{ "path": "model.json", "size": 184_320, "sha256": super::HASH }]);
    version["feature_importances"] = json!({
        "method": "mean |SHAP|",
        "features": [{ "feature": "rsi_14", "importance": 0.42 }, { "feature": "return_1", "importance": 0.07 }],
    });
    (version["is_before"], version["approval"]) = (json!(false), Value::Null);
    version
}

pub(in crate::http::api) fn registered() -> Value {
    json!({ "model_id": MODEL, "version": VERSION, "status": "training", "revision": "r12" })
}

pub(in crate::http::api) fn deleted() -> Value {
    json!({ "model_id": MODEL, "version": BEFORE, "revision": "r18" })
}

pub(in crate::http::api) fn moved() -> Value {
    json!({ "model_id": MODEL, "version": VERSION, "from": "training", "status": "shadow", "revision": "r14" })
}

pub(in crate::http::api) fn promoted() -> Value {
    json!({
        "success": true, "model_id": MODEL, "version": VERSION, "previous": BEFORE, "forced": false,
        "promoted_by": "anna", "revision": "r17", "warning": null,
    })
}

pub(in crate::http::api) fn waiting() -> Value {
    json!({
        "success": false, "model_id": MODEL, "version": VERSION,
        "approval": { "asked_by": "anna", "expires_at": "2026-01-19T09:12:40.000Z" }, "revision": "r16",
    })
}

pub(in crate::http::api) fn rolled_back() -> Value {
    json!({
        "success": true, "model_id": MODEL, "version": BEFORE, "previous": VERSION, "changed": true,
        "rollback_by": "anna", "revision": "r18", "warning": null,
    })
}

pub(in crate::http::api) fn judged() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "evaluation": 41, "passed": true, "promotion_score": 71.5,
        "failure_reason": "", "from": "training", "status": "shadow", "verdicts": [verdict()], "revision": "r14",
    })
}

pub(in crate::http::api) fn applied() -> Value {
    let mut judged = judged();
    judged["evaluation"] = Value::Null;
    judged
}

pub(in crate::http::api) fn reign() -> Value {
    json!({ "model_id": MODEL, "version": VERSION, "since": "2026-01-18T09:12:40.000Z", "number": 17 })
}

pub(in crate::http::api) fn clm_status() -> Value {
    json!({
        "service": "quantum-clm", "status": "running",
        "registry": {
            "total_model_ids": 1, "total_versions": 3,
            "status_counts": {
                "training": 0, "shadow": 1, "candidate": 0, "production": 1, "retired": 1, "failed": 0,
            },
            "training_jobs": { "total": 0, "pending": 0, "in_progress": 0, "completed": 0, "failed": 0 },
            "evaluations_count": 7,
        },
        "scheduler": { "running": false, "config": {}, "last_training": {}, "next_training_times": {} },
        "evolution": { "total_candidates": 0, "status_counts": {}, "enabled": false },
    })
}

pub(in crate::http::api) fn clm_model() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "model_type": "xgboost", "status": "production",
        "created_at": "2026-01-17T03:46:06.000Z", "promoted_at": "2026-01-18T09:12:40.000Z",
        "train_metrics": { "accuracy": 0.61 }, "validation_metrics": { "accuracy": 0.57 },
    })
}

pub(in crate::http::api) fn clm_promote() -> Value {
    json!({
        "model_id": MODEL, "version": VERSION, "promoted_by": "anna",
        "reason": "two weeks of shadow without a surprise", "force": false,
    })
}

pub(in crate::http::api) fn clm_promoted() -> Value {
    json!({ "success": true, "model_id": MODEL, "version": VERSION, "status": "promoted", "promoted_by": "anna" })
}

pub(in crate::http::api) fn clm_rollback() -> Value {
    json!({
        "model_id": MODEL, "target_version": BEFORE, "reason": "drawdown of 9 % since midnight", "rollback_by": "anna",
    })
}

pub(in crate::http::api) fn clm_rolled_back() -> Value {
    json!({
        "success": true, "model_id": MODEL, "version": BEFORE, "status": "rolled_back", "rollback_by": "anna",
        "reason": "drawdown of 9 % since midnight",
    })
}

pub(in crate::http::api) fn new_version() -> Value {
    json!({
        "job": "7f3c1c1e", "data": { "from": "2025-10-01T00:00:00Z", "until": "2025-12-30T00:00:00Z" },
        "parameters": { "max_depth": 6, "eta": 0.1 }, "feature_count": 49, "code_revision": "9c1f2ab",
        "parent": BEFORE, "tags": { "team": "alpha" }, "train_metrics": { "accuracy": 0.61 },
        "validation_metrics": { "accuracy": 0.57 },
    })
}

pub(in crate::http::api) fn new_evaluation() -> Value {
    json!({
        "type": "backtest",
        "returns": { "first_day": "2026-01-01", "values": [0.011, -0.004, 0.0, 0.007] },
        "trades": [
            { "closed_at": "2026-01-01T09:30:00Z", "return": 0.011 },
            { "closed_at": "2026-01-02T17:05:00Z", "return": -0.004 },
            { "closed_at": "2026-01-04T02:40:00Z", "return": 0.007 },
        ],
    })
}

fn figure(value: f64) -> Value {
    json!({ "value": value, "origin": "computed" })
}

pub(in crate::http::api) fn evaluation() -> Value {
    json!({
        "id": 41, "model_id": MODEL, "version": VERSION, "type": "backtest",
        "evaluated_at": "2026-01-17T04:02:11.000Z", "by": "token:trainer", "period_days": 250.0,
        "metrics": {
            "total_trades": figure(212.0), "win_rate": figure(0.571), "profit_factor": figure(1.62),
            "sharpe_ratio": figure(1.45), "sortino_ratio": figure(2.11), "calmar_ratio": figure(3.4),
            "max_drawdown": figure(0.081), "avg_win": figure(0.009), "avg_loss": figure(-0.0074),
            "total_pnl": figure(0.19), "risk_adjusted_return": figure(2.35),
        },
        "evidence": {
            "days": 250, "sharpe_per_day": 0.0759, "sharpe_error": 0.0634,
            "sharpe_interval": { "from": -0.92, "until": 3.82 }, "sharpe_lo": 1.39, "skewness": -0.12, "kurtosis": 3.4,
            "psr": 0.884, "min_track_record": 470.2,
        },
        "passed": true, "promotion_score": 71.5, "failure_reason": "", "has_returns": true,
    })
}

pub(in crate::http::api) fn evaluation_detail() -> Value {
    let mut evaluation = evaluation();
    evaluation["returns"] = json!({ "first_day": "2026-01-01", "values": [0.011, -0.004, 0.0, 0.007] });
    evaluation["trade_returns"] = json!([0.011, -0.004, 0.007]);
    evaluation["calibration"] =
        json!([{ "from": 0.6, "until": 0.7, "confidence": 0.64, "came_true": 0.59, "count": 88 }]);
    evaluation
}

pub(in crate::http::api) fn verdict() -> Value {
    json!({
        "goal": "shadow",
        "gates": [{
            "gate": "sharpe", "value": 1.45, "threshold": 1.0, "margin": 0.45, "outcome": "pass", "reported": false,
            "note": "Sharpe 1.450 ≥ 1.0",
        }],
        "passed": true, "score": 71.5, "trials": null, "wait_days": null,
    })
}

pub(in crate::http::api) fn gates() -> Value {
    json!({ "model_id": MODEL, "version": VERSION, "revision": "r17", "status": "shadow", "verdicts": [verdict()] })
}

pub(in crate::http::api) fn step() -> Value {
    json!({
        "number": 17, "at": "2026-01-18T09:12:40.000Z", "model_id": MODEL, "version": VERSION, "step": "promoted",
        "from": "candidate", "to": "production", "previous": BEFORE, "production": VERSION, "forced": false,
        "by": "anna", "approved_by": null, "why": "two weeks of shadow without a surprise", "verdict": null,
    })
}

pub(in crate::http::api) fn compared() -> Value {
    json!({
        "versions": [version(), version()],
        "rows": [
            {
                "kind": "parameter", "name": "max_depth", "differs": true,
                "values": [
                    { "value": 6, "interval": null, "origin": null }, { "value": 8, "interval": null, "origin": null },
                ],
            },
            {
                "kind": "metric", "name": "sharpe_ratio", "differs": true,
                "values": [
                    { "value": 1.45, "interval": { "from": -0.92, "until": 3.82 }, "origin": "computed" },
                    { "value": 1.12, "interval": null, "origin": "reported" },
                ],
            },
        ],
    })
}
