use serde_json::{Value, json};

pub(in crate::http::api) fn lease() -> Value {
    json!({
        "worker": "gpu-1", "instance": "1f0c7a52c8d94be2", "host": "gpu-1.lan", "programs": { "xgboost": ["data", "train", "evaluate"] }, "hook": false,
        "held": [{ "job": "job-16", "epoch": 1 }], "wait_seconds": 25,
        "boot": "6f2d3a58-0d2b-4f0c-9d0e-1f6d1f5a7c11", "sent": 86_400_000,
    })
}

pub(in crate::http::api) fn assignment() -> Value {
    json!({
        "job": "job-17", "epoch": 2, "model": "xgboost_btcusdt_1h", "program": "train", "root": "job-17",
        "inputs": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "lease_seconds": 60,
        "request": {
            "contract": 1, "job_id": "job-17", "program": "train", "model_id": "xgboost_btcusdt_1h",
            "model_type": "xgboost", "symbol": "BTCUSDT", "timeframe": "1h", "regime": null, "dataset_span_days": 90,
            "training_params": { "max_depth": 6 }, "feature_config": null, "trigger_reason": "manual",
            "triggered_by": "alice", "parent_version": null, "strategy_candidate_id": null, "version": null,
            "hook": null, "artifacts": {},
            "results": { "data": { "data_range": { "from": "2025-10-19T00:00:00Z", "until": "2026-01-17T00:00:00Z" }, "rows": 2160 } },
        },
    })
}

pub(in crate::http::api) fn beat() -> Value {
    json!({
        "epoch": 2, "progress": 0.4, "message": "fold 3 of 5",
        "resources": { "memory_peak": 734_003_200, "cpu_ms": 91_250, "output_bytes": 18_422 },
    })
}

pub(in crate::http::api) fn report() -> Value {
    json!({
        "epoch": 2, "program": "train", "reused": false,
        "inputs": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "end": {
            "outcome": "done",
            "result": {
                "artifacts": ["model.onnx"], "train_metrics": { "auc": 0.71 }, "feature_count": 12,
                "data_range": { "from": "2025-10-19T00:00:00Z", "until": "2025-12-30T00:00:00Z" },
            },
            "artifacts": { "model.onnx": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" },
        },
        "resources": { "memory_peak": 734_003_200, "cpu_ms": 391_250, "output_bytes": 48_422 },
    })
}

pub(in crate::http::api) fn file() -> Value {
    let sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    json!({ "path": "model.onnx", "size": 48_213_504, "sha256": sha256 })
}

pub(in crate::http::api) fn upload() -> Value {
    json!({ "next": "upload", "version": "v20260117_034606", "paths": ["model.onnx"] })
}
