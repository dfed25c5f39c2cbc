//! What the description of the API shows. Tests hold each of these against its schema.

pub(super) mod backups;
pub(super) mod jobs;
pub(super) mod registry;
pub(super) mod work;

use serde_json::{Value, json};

pub(super) const EVENT_ID: &str = "1768621479809-0";

pub(super) fn event() -> Value {
    json!({
        "id": EVENT_ID, "ts": "1768621479809316", "unit": "quantum-ai-engine.service", "level": "6",
        "message": "[AI-ENGINE] signal for INJUSDT: BUY (confidence=69%)", "symbol": "INJUSDT",
        "correlation_id": "60965827-3887-45f4-9153-cca5cf1c301f", "source": "ai_engine",
        "host": "quantumtrader-prod-1", "tags": [], "decision": "BUY", "confidence": 0.69,
    })
}

pub(super) fn new_event() -> Value {
    json!({
        "unit": "quantum-execution.service", "message": "order filled: INJUSDT BUY qty=12",
        "correlation_id": "60965827-3887-45f4-9153-cca5cf1c301f", "fields": { "trade_id": 7, "order_id": "a-41" },
    })
}

pub(super) fn intent() -> Value {
    json!({
        "id": 17, "state": "open", "severity": "high", "rule": "error_rate", "subject_kind": "unit",
        "subject": "quantum-risk-brain.service", "window": "2026011703", "reason": "High error rate: 32 errors/hour",
        "suggested_action": "investigate", "count": 32, "threshold": 20, "opened_at": "2026-01-17T03:21:40.000Z",
        "updated_at": "2026-01-17T03:46:06.000Z", "acknowledged": null, "resolved": null,
    })
}

pub(super) fn intent_detail() -> Value {
    let mut detail = intent();
    detail["history"] =
        json!([{ "what": "opened", "at": "2026-01-17T03:21:40.000Z", "by": "rule", "why": "passed 20" }]);
    detail["evidence"] = json!({
        "events": {
            "since": "2026-01-17T03:00:00Z", "until": "2026-01-17T04:00:00Z", "unit": "quantum-risk-brain.service",
            "level": "warning",
        },
        "hours": [{ "hour": "2026011702", "count": 3 }, { "hour": "2026011703", "count": 32 }],
        "threshold": 20,
    });
    detail
}

pub(super) fn acknowledged() -> Value {
    let mut intent = intent();
    intent["state"] = json!("acknowledged");
    intent["acknowledged"] =
        json!({ "by": "alice", "why": "exchange maintenance, back at 04:00", "at": "2026-01-17T03:50:00.000Z" });
    intent
}

pub(super) fn resolved() -> Value {
    let mut intent = acknowledged();
    intent["state"] = json!("resolved");
    intent["resolved"] = json!({ "by": "alice", "why": "the exchange is back", "at": "2026-01-17T04:05:00.000Z" });
    intent
}

pub(super) fn health() -> Value {
    json!({
        "lines": [
            "2026-01-17 03:46:06 | === UTF/CLM Health Check ===",
            "2026-01-17 03:46:06 | Status: services=OK, growth=OK, clm=OK",
            "2026-01-17 03:46:06 | === OVERALL: HEALTHY ===",
        ],
        "services": "OK", "growth": "OK", "clm": "OK", "overall": "healthy",
        "components": [{
            "name": "store", "state": "ok", "since": "2026-01-16T21:00:02.112Z", "summary": "stores events",
            "remedy": null, "last_error": null, "restarts": 0, "figures": {},
        }],
        "last_gap": null,
    })
}

pub(super) fn status() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"), "started": "2026-01-16T21:00:02.000Z",
        "data_file": "/var/lib/quantum-clm/quantum.redb", "data_file_bytes": 41_943_040, "events": 1_204_330,
        "events_kept": 1_204_330, "last_event_id": EVENT_ID, "last_event_at": "2026-01-17T03:44:39.809Z",
        "journal_cursor": "s=6f0f…;i=12", "journal_at": "2026-01-17T03:44:39.809Z", "tick": "2026-01-17T03:44:00.000Z",
        "mirror_lag_events": 0, "intents_open": 1, "gaps": 0, "events_this_hour": 8_812, "events_last_hour": 11_970,
    })
}

pub(super) const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(super) fn audit_record() -> Value {
    json!({
        "seq": 1, "at": "2026-01-17T03:50:00.000Z", "by": "alice", "address": "192.0.2.7",
        "action": "intent.acknowledge", "subject": "intent 17", "why": "exchange maintenance, back at 04:00",
        "outcome": "done", "times": 1, "hash": HASH,
    })
}

pub(super) fn user() -> Value {
    json!({
        "name": "alice", "role": "operator", "disabled": false, "created_at": "2026-01-16T21:05:00.000Z",
        "password_changed_at": "2026-01-16T21:05:00.000Z", "last_sign_in": "2026-01-17T03:48:12.000Z",
    })
}

pub(super) fn session() -> Value {
    json!({
        "id": 3, "user": "alice", "created_at": "2026-01-17T03:48:12.000Z", "last_seen": "2026-01-17T03:50:00.000Z",
        "expires_at": "2026-01-24T03:48:12.000Z", "address": "192.0.2.7", "agent": "Mozilla/5.0 …",
    })
}

pub(super) fn token() -> Value {
    json!({
        "id": 2, "name": "execution", "prefix": "qclm_3kTz8aB", "grant": "publish",
        "created_at": "2026-01-16T21:10:00.000Z", "created_by": "alice", "expires_at": "2026-04-16T21:10:00.000Z",
        "expired": false, "last_used": "2026-01-17T03:44:39.000Z", "last_address": "192.0.2.9",
    })
}

pub(super) fn created_token() -> Value {
    let mut token = token();
    (token["last_used"], token["last_address"]) = (Value::Null, json!(""));
    token["text"] = json!("qclm_3kTz8aB…");
    token
}

pub(super) fn dead_letter() -> Value {
    json!({
        "number": 3, "type": "model.drift_detected", "entry": "1768621479809-0", "at": "2026-01-17T03:44:50.004Z",
        "tries": 3, "error": "payload/model_id: it is missing", "state": "waiting", "decided_by": null,
        "decided_at": null, "outcome": null, "cut": false,
    })
}

pub(super) fn dead_letter_detail() -> Value {
    let mut letter = dead_letter();
    letter["fields"] = json!([
        { "name": "event_type", "value": "model.drift_detected" },
        { "name": "payload", "value": "{\"drift_score\": 0.34}" },
    ]);
    letter
}

pub(super) fn replayed_letter() -> Value {
    let mut letter = dead_letter_detail();
    (letter["state"], letter["decided_by"]) = (json!("replayed"), json!("alice"));
    letter["decided_at"] = json!("2026-01-17T03:50:00.000Z");
    letter["outcome"] = json!("drift score 0.34 at 2026-01-17T03:44:39.000Z");
    letter
}

pub(super) fn discarded_letter() -> Value {
    let mut letter = replayed_letter();
    letter["state"] = json!("discarded");
    letter["outcome"] = json!("the sender was repaired and has sent it again");
    letter
}

pub(super) fn webhook() -> Value {
    json!({
        "name": "ops", "to": "https://ops.example", "events": ["clm.model_promoted", "clm.model_rollback"],
        "failing": true, "position": 1_207, "waiting": 2, "attempts": 3, "last_success": "2026-01-17T03:21:40.112Z",
        "failing_since": "2026-01-17T03:44:39.870Z", "last_error": "it answers 503: maintenance",
        "next_try": "2026-01-17T03:45:07.102Z", "given_up": 0,
    })
}

pub(super) fn delivery() -> Value {
    json!({
        "number": 41, "id": "1208-9f86d081884c7d65", "type": "clm.model_promoted", "at": "2026-01-17T03:44:50.004Z",
        "attempt": 3, "occasion": "queue", "outcome": "failed", "status": 503, "error": "it answers 503: maintenance",
        "milliseconds": 84, "next_try": "2026-01-17T03:45:07.102Z", "replayable": true,
    })
}

pub(super) fn test_delivery() -> Value {
    let mut line = replayed_delivery();
    (line["number"], line["type"], line["occasion"]) = (json!(42), json!("clm.test"), json!("test"));
    (line["id"], line["replayable"]) = (json!("0-2c26b46b68ffc68f"), json!(false));
    line
}

pub(super) fn replayed_delivery() -> Value {
    let mut line = delivery();
    (line["number"], line["attempt"], line["occasion"]) = (json!(43), json!(1), json!("replay"));
    (line["outcome"], line["status"], line["error"]) = (json!("delivered"), json!(204), Value::Null);
    line["next_try"] = Value::Null;
    line
}
