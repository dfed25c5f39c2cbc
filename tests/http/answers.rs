//! Every JSON answer of the API as it stands, over a data file that is always the same.

use crate::support::bus_in::dead_letter;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use quantum_clm::app::App;
use quantum_clm::config::{Config, Webhook};
use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::{Decision, EventRef, Level};
use quantum_clm::domain::feed::{Gap, GapCause, Position};
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::intent::{IntentKey, Severity, Subject};
use quantum_clm::domain::rules::{Finding, Raise};
use quantum_clm::domain::webhook::{Delivery, Occasion, Outcome, Pauses, Progress};
use quantum_clm::http::api;
use quantum_clm::http::peer::Peer;
use quantum_clm::store::{FollowerPosition, Store, StoreError, webhook_follower};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

/// 2024-06-17T10:51:19.809316Z
const NOW: Micros = Micros(1_718_621_479_809_316);

/// The product over a data file with six events, two intents and a gap; the file goes with the directory.
pub(super) fn product() -> (axum::Router, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("d.redb")).unwrap();
    let mut events = EventBatch::new();
    for (number, message) in
        ["price history updated", "signal for INJUSDT: BUY", "order <b>&\"filled\"</b>", "ünï"].into_iter().enumerate()
    {
        events.push(EventRef {
            id: EventId::ZERO,
            ts: NOW.plus(number as u64),
            unit: ["quantum-ai-engine.service", "quantum-execution.service"][number % 2],
            source: ["ai_engine", "execution"][number % 2],
            host: "quantumtrader-prod-1",
            level: if number == 2 { Level::ERROR } else { Level::INFO },
            message,
            symbol: (number > 0).then_some("INJUSDT"),
            correlation_id: (number > 0).then_some("60965827-3887-45f4-9153-cca5cf1c301f"),
            decision: (number == 1).then_some(Decision::Buy),
            confidence: (number == 1).then_some(0.69),
            fields: (number == 3).then_some(r#"{"trade_id":7,"legs":[{"a":null}]}"#),
        });
    }
    let gap = Gap {
        cause: GapCause::Suppressed,
        since: None,
        until: NOW,
        unit: Some("quantum-ai-engine.service".to_owned()),
        lost: Some(120),
    };
    let raise = |unit: &str, count| {
        Finding::Raise(Raise {
            key: IntentKey {
                rule: "error_rate".to_owned(),
                subject: Subject::Unit(unit.to_owned()),
                window: "2024061710".to_owned(),
            },
            severity: Severity::High,
            reason: format!("High error rate: {count} errors/hour"),
            suggested_action: "investigate".to_owned(),
            count,
            threshold: 20,
            at: NOW,
        })
    };
    store
        .write::<_, StoreError>(|txn| {
            events.number(txn.feed().last.first_at(NOW));
            txn.append(&events)?;
            txn.record_gap(events.get(0).unwrap().id, &gap)?;
            let findings = [raise("quantum-ai-engine.service", 32), raise("quantum-execution.service", 41)];
            txn.apply_findings(&findings, NOW)?;
            txn.tick(NOW)?;
            txn.finish_feed(Some(&Position { cursor: "s=6f0f;i=12".to_owned(), ts: NOW }))
        })
        .unwrap();
    let mut config = Config::default();
    config.notify.webhooks.insert("ops".parse().unwrap(), webhook(&store));
    for (number, payload) in [(1, r#"{"model_id": "<b>"}"#.to_owned()), (2, crate::support::bus_in::payload("alice"))] {
        store.write::<_, StoreError>(|txn| txn.put_dead_letter(&dead_letter(number, &payload))).unwrap();
    }
    let board = StatusBoard::new();
    for name in ["journal", "store", "rules"] {
        board.reporter(name).ok("works");
    }
    board.reporter("mirror").failed("Redis does not answer", "start it");
    let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", Micros(0));
    let app = App::new(config, store, board, metrics, NOW);
    (router(api::routes(), app, door(), Times::default()), dir)
}

/// A webhook that has taken one event and refuses the next.
fn webhook(store: &Store) -> Webhook {
    let line = |seq: u64, outcome, status, why: &str| Delivery {
        seq,
        id: format!("{seq}-9f86d081884c7d65"),
        event_type: "clm.model_promoted".to_owned(),
        at: NOW.plus(seq),
        attempt: 1,
        occasion: Occasion::Queue,
        outcome,
        status: Some(status),
        why: why.to_owned(),
        took: 84_000,
        next_try: (seq > 1).then(|| NOW.plus(5_000_000)),
    };
    let mut progress = Progress::default();
    progress.delivered(NOW);
    progress.failed(NOW, "it answers 503: <b>".into(), Pauses { first: 2_000_000, most: 2_000_000 }, None, 500);
    let note = serde_json::to_string(&progress).unwrap();
    let position = FollowerPosition { outbox: 1, note, ..FollowerPosition::default() };
    store
        .write::<_, StoreError>(|txn| {
            txn.put_follower(&webhook_follower("ops"), &position)?;
            txn.put_delivery("ops", &line(1, Outcome::Delivered, 204, ""))?;
            txn.put_delivery("ops", &line(2, Outcome::Failed, 503, "it answers 503: <b>"))
        })
        .unwrap();
    Webhook {
        url: "https://ops.example/hook?key=s3cret".parse().unwrap(),
        secret_file: "/nowhere".into(),
        ca_file: None,
        events: vec!["clm.model_promoted".to_owned()],
        allow_http: false,
        give_up_after: std::time::Duration::from_secs(86_400),
    }
}

/// The answer to root's request, with what differs from run to run taken out.
pub(super) async fn answer(router: &axum::Router, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, mut value) = whole_answer(router, method, path, body).await;
    redact(&mut value);
    (status, value)
}

/// The same with what differs from run to run in it.
pub(super) async fn whole_answer(router: &axum::Router, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "x")
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    request.extensions_mut().insert(Peer::Unix { uid: 0, gid: 0, pid: None });
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{method} {path}: {error}")))
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "data_file"
                    | "data_file_bytes"
                    | "lines"
                    | "version"
                    | "created_at"
                    | "expires_at"
                    | "hash"
                    | "head"
                    | "password_changed_at"
                    | "prefix"
                    | "text" => *value = format!("<{name}>").into(),
                    "since" | "at" if value.as_str().is_some_and(|at| !at.starts_with("2024-06-17T")) => {
                        *value = "<now>".into();
                    }
                    _ => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        // An error's sentence may say when.
        Value::String(text) => {
            let instant = regex::Regex::new(r"20(?:2[5-9]|[3-9]\d)-\d\d-\d\dT[\d:.]+Z").unwrap();
            *text = instant.replace_all(text, "<now>").into_owned();
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_json_answer() {
    let (product, _dir) = product();
    for (name, method, path, body) in [
        ("events", "GET", "/api/events?limit=2", ""),
        ("events_next", "GET", "/api/events?limit=2&cursor=1718621479809-2", ""),
        ("events_none", "GET", "/api/events?until=2020-01-01T00:00:00Z", ""),
        ("event", "GET", "/api/events/1718621479809-1", ""),
        ("event_unknown", "GET", "/api/events/1718621479809-9", ""),
        ("event_malformed", "GET", "/api/events/7", ""),
        ("query_malformed", "GET", "/api/events?limit=2&colour=red", ""),
        ("limit_malformed", "GET", "/api/events?limit=1001", ""),
        ("counters", "GET", "/api/counters?limit=3", ""),
        ("counters_next", "GET", "/api/counters?limit=3&cursor=477394.unit.quantum-execution.service", ""),
        ("intents", "GET", "/api/intents?limit=1", ""),
        ("intent", "GET", "/api/intents/1", ""),
        ("intent_unknown", "GET", "/api/intents/99", ""),
        ("intent_acknowledged", "POST", "/api/intents/1/ack", r#"{"why": "I look into it"}"#),
        ("intent_acknowledged_twice", "POST", "/api/intents/1/ack", r#"{"why": "me too"}"#),
        ("intent_without_a_reason", "POST", "/api/intents/1/resolve", r#"{"why": " "}"#),
        ("intent_without_a_body", "POST", "/api/intents/1/resolve", "{}"),
        ("intent_resolved", "POST", "/api/intents/1/resolve", r#"{"why": "it is over"}"#),
        ("webhooks", "GET", "/api/webhooks", ""),
        ("webhook_unknown", "GET", "/api/webhooks/none", ""),
        ("webhook_deliveries", "GET", "/api/webhooks/ops/deliveries?limit=1", ""),
        ("webhook_deliveries_next", "GET", "/api/webhooks/ops/deliveries?cursor=2", ""),
        ("webhook_replay_of_what_is_gone", "POST", "/api/webhooks/ops/deliveries/2/replay", "{}"),
        ("webhook_replay_of_nothing", "POST", "/api/webhooks/ops/deliveries/9/replay", "{}"),
        ("dead_letters", "GET", "/api/dead-letters?limit=1", ""),
        ("dead_letters_next", "GET", "/api/dead-letters?cursor=2&state=waiting&type=model.drift_detected", ""),
        ("dead_letters_malformed", "GET", "/api/dead-letters?type=clm.model_trained", ""),
        ("dead_letter", "GET", "/api/dead-letters/1", ""),
        ("dead_letter_unknown", "GET", "/api/dead-letters/99", ""),
        ("dead_letter_replayed", "POST", "/api/dead-letters/2/replay", ""),
        ("dead_letter_replayed_twice", "POST", "/api/dead-letters/2/replay", ""),
        ("dead_letter_that_fails_again", "POST", "/api/dead-letters/1/replay", ""),
        ("dead_letter_without_a_reason", "POST", "/api/dead-letters/1/discard", r#"{"why": " "}"#),
        ("dead_letter_discarded", "POST", "/api/dead-letters/1/discard", r#"{"why": "nobody wants it"}"#),
        ("health", "GET", "/api/health", ""),
        ("health_check", "POST", "/api/health/checks", ""),
        ("health_for_anybody", "GET", "/health", ""),
        ("status", "GET", "/api/status", ""),
        ("publish_refused", "POST", "/api/events", r#"{"unit": "u", "price": 3}"#),
        ("user_added", "POST", "/api/users", r#"{"name": "alice", "role": "operator", "password": "battery horse"}"#),
        (
            "user_added_twice",
            "POST",
            "/api/users",
            r#"{"name": "alice", "role": "viewer", "password": "battery horse"}"#,
        ),
        ("users", "GET", "/api/users", ""),
        ("user_with_another_role", "PUT", "/api/users/alice/role", r#"{"role": "viewer"}"#),
        ("user_unknown", "PUT", "/api/users/bob/role", r#"{"role": "viewer"}"#),
        ("token_created", "POST", "/api/tokens", r#"{"name": "execution", "grant": "publish"}"#),
        ("tokens", "GET", "/api/tokens", ""),
        ("token_revoked", "DELETE", "/api/tokens/1", ""),
        ("sessions", "GET", "/api/sessions", ""),
        ("me", "GET", "/api/me", ""),
        ("audit", "GET", "/api/audit?limit=1", ""),
        ("audit_verified", "GET", "/api/audit/verify", ""),
        ("nothing_there", "GET", "/api/nothing", ""),
        ("method_not_allowed", "PUT", "/api/events", "{}"),
    ] {
        let (status, value) = answer(&product, method, path, body).await;
        insta::assert_json_snapshot!(
            format!("answers__{name}"),
            serde_json::json!({ "request": format!("{method} {path}"), "status": status, "body": value })
        );
    }
}
