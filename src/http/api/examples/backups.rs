use serde_json::{Value, json};

pub(in crate::http::api) const ID: &str = "2026-11-21T031500Z";
pub(in crate::http::api) const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(in crate::http::api) fn asked() -> Value {
    json!({
        "attempt": 41, "kind": "make", "state": "waiting", "backup": null, "joined": false, "by": "anna",
        "why": "before the upgrade to 0.2", "asked_at": "2026-11-21T03:14:59.812Z", "begun_at": null, "ended_at": null,
        "step": null, "bytes": 0, "rows": 0, "events": 0, "lacking": 0, "error": null,
        "copies": [{ "to": "s3://backups/prod-1", "state": "waiting", "tries": 0, "ended_at": null, "error": null }],
    })
}

pub(in crate::http::api) fn done() -> Value {
    json!({
        "attempt": 41, "kind": "make", "state": "done", "backup": ID, "joined": false, "by": "anna",
        "why": "before the upgrade to 0.2", "asked_at": "2026-11-21T03:14:59.812Z", "begun_at": "2026-11-21T03:15:00.020Z",
        "ended_at": "2026-11-21T03:15:09.402Z", "step": "prune", "bytes": 412_303_360, "rows": 81_204, "events": 10_482_113,
        "lacking": 0, "error": null, "copies": [copy()],
    })
}

pub(in crate::http::api) fn verifying() -> Value {
    json!({
        "attempt": 42, "kind": "verify", "state": "waiting", "backup": ID, "joined": false, "by": "anna", "why": "",
        "asked_at": "2026-11-21T09:00:00.000Z", "begun_at": null, "ended_at": null, "step": null, "bytes": 0, "rows": 0,
        "events": 0, "lacking": 0, "error": null, "copies": [],
    })
}

fn copy() -> Value {
    json!({
        "to": "s3://backups/prod-1", "state": "done", "tries": 1, "ended_at": "2026-11-21T03:16:40.118Z", "error": null,
    })
}

pub(in crate::http::api) fn backup() -> Value {
    json!({
        "id": ID, "taken_at": "2026-11-21T03:15:00.031Z", "path": format!("/var/backups/quantum-clm/{ID}"), "whole": true,
        "fault": null, "verified_at": "2026-11-21T03:15:09.377Z",
        "contents": {
            "host": "quantumtrader-prod-1", "version": "0.1.0", "schema": 5, "data_file": "quantum.redb",
            "bytes": 412_303_360, "sha256": SHA256, "artifacts": 212, "artifact_bytes": 10_221_060_096_u64, "lacking": 0,
            "in_place": 0, "events": 10_482_113, "model_versions": 96, "rows": 81_204, "users": 3, "encrypted": false,
            "recipients": [],
        },
        "copies": [copy()], "by": "anna", "why": "before the upgrade to 0.2",
    })
}

pub(in crate::http::api) fn page() -> Value {
    json!({
        "directory": "/var/backups/quantum-clm", "copied_to": "s3://backups/prod-1", "stale_after_seconds": 129_600,
        "stale": false, "under_way": [], "failing": null, "backups": [backup()], "next": null,
    })
}
