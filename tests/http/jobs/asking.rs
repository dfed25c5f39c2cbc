//! Asking for a training, calling it off, doing it again: once, by those who may, and nothing that does not fit.

use axum::http::{Method, StatusCode};
use quantum_clm::domain::role::Role;
use serde_json::{Value, json};

use super::{Desk, training, words};

#[tokio::test]
async fn what_is_asked_for_twice_under_a_key_is_done_once() {
    let desk = Desk::new();
    let key = [("idempotency-key", "monday morning")];
    let first = desk.post_with("/api/jobs", &training("BTCUSDT"), &key).await;
    let again = desk.post_with("/api/jobs", &training("BTCUSDT"), &key).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{again:?}");
    assert_eq!(first.body, again.body);
    assert_eq!(first.headers["location"], "/api/jobs/job-1");
    // Also once it has gone on: the answer is the one that got lost.
    desk.fail("no rows").await;
    let late = desk.post_with("/api/jobs", &training("BTCUSDT"), &key).await;
    assert_eq!(late.body, first.body);
    let other = desk.post_with("/api/jobs", &training("ETHUSDT"), &key).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{other:?}");
    assert_eq!(other.detail(), "this Idempotency-Key was used for another request");

    let key = [("idempotency-key", "a retry")];
    let first = desk.post_with("/api/jobs/job-1/retry", &Value::Null, &key).await;
    let again = desk.post_with("/api/jobs/job-1/retry", &Value::Null, &key).await;
    assert_eq!((first.status, &first.body), (StatusCode::CREATED, &again.body), "{first:?}");
    let train = json!({ "model_type": "lightgbm" });
    let key = [("idempotency-key", "the predecessor's")];
    let first = desk.post_with("/clm/train", &train, &key).await;
    let again = desk.post_with("/clm/train", &train, &key).await;
    assert_eq!((first.status, &first.body), (StatusCode::OK, &again.body), "{first:?}");
    assert_eq!(desk.look("/api/jobs").await["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn one_training_of_a_model_at_a_time() {
    let desk = Desk::new();
    desk.train("BTCUSDT").await;
    for (path, body) in [
        ("/api/jobs", training("btcusdt")),
        ("/api/jobs", json!({ "model_id": "xgboost_btcusdt_1h" })),
        ("/clm/train", json!({ "model_type": "xgboost", "symbol": "BTCUSDT" })),
    ] {
        let answer = desk.post(path, &body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{path} {body}: {answer:?}");
        assert!(answer.detail().starts_with("job-1 trains this model already"), "{answer:?}");
    }
    desk.train("ETHUSDT").await;
    // Also a retry is a training.
    desk.fail("no rows").await;
    assert_eq!(desk.train("BTCUSDT").await, "job-3");
    let answer = desk.post("/api/jobs/job-1/retry", &Value::Null).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    assert!(answer.detail().starts_with("job-3 trains this model already"), "{answer:?}");
}

#[tokio::test]
async fn as_many_as_may_wait() {
    let desk = Desk::configured(|config| config.jobs.waiting = 2);
    desk.train("BTCUSDT").await;
    desk.train("ETHUSDT").await;
    for path in ["/api/jobs", "/clm/train"] {
        let answer = desk.post(path, &json!({ "model_type": "tft" })).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert!(answer.detail().contains("jobs.waiting"), "{answer:?}");
    }
    desk.post("/api/jobs/job-1/cancel", &json!({ "why": "make room" })).await;
    desk.train("SOLUSDT").await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_makes_no_job() {
    let desk = Desk::new();
    let with = |key: &str, value: Value| {
        let mut body = training("BTCUSDT");
        body[key] = value;
        body.to_string()
    };
    let large: String = "x".repeat(70 << 10);
    let both = json!({ "model_id": "xgboost_btcusdt_1h", "model_type": "xgboost" }).to_string();
    let cases = [
        (String::new(), "EOF"),
        ("7".to_owned(), "invalid type"),
        ("{}".to_owned(), "name a model_id, or a model_type"),
        (both, "leave out model_type"),
        (json!({ "model_id": "../x" }).to_string(), "model id"),
        (json!({ "model_id": "gpt_btcusdt_1h" }).to_string(), "model_id"),
        (with("model_type", json!("gpt")), "model_type"),
        (with("symbol", json!("BTC/USDT")), "symbol"),
        (with("symbol", json!("")), "symbol"),
        (with("timeframe", json!("1 h")), "timeframe"),
        (with("regime", json!("<b>")), "regime"),
        (with("dataset_span_days", json!(0)), "dataset_span_days"),
        (with("dataset_span_days", json!(40_000)), "dataset_span_days"),
        (with("dataset_span_days", json!("90")), "invalid type"),
        (with("training_params", json!([1])), "training_params"),
        (with("training_params", json!({ "a": large })), "training_params"),
        (with("feature_config", json!("all")), "feature_config"),
        (with("parent_version", json!("v1")), "parent_version"),
        (with("strategy_candidate_id", json!("")), "strategy_candidate_id"),
        (with("priority", json!("urgent")), "priority"),
        (with("why", json!("x".repeat(3_000))), "evidence"),
        (with("why", json!("a\u{1b}[2J")), "control characters"),
        (with("colour", json!("red")), "unknown field `colour`"),
    ];
    for (body, expected) in cases {
        let answer = desk.appliance.ask(&desk.operator, Method::POST, "/api/jobs", &body, &[]).await;
        let shown: String = body.chars().take(200).collect();
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{shown}: {answer:?}");
        assert!(words(&answer).contains(expected), "{shown}: {}", words(&answer));
    }
    assert_eq!(desk.look("/api/jobs").await["jobs"], json!([]));
}

#[tokio::test]
async fn a_job_is_called_off_with_a_reason_and_the_audit_log_has_it() {
    let desk = Desk::new();
    let job = desk.train("BTCUSDT").await;
    let path = format!("/api/jobs/{job}/cancel");
    for body in [json!({}), json!({ "why": " " }), json!({ "why": "x".repeat(2_000) }), json!({ "why": "x", "b": 1 })] {
        let answer = desk.post(&path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer:?}");
    }
    assert_eq!(desk.look(&format!("/api/jobs/{job}")).await["state"], "pending");
    let answer = desk.post(&path, &json!({ "why": "not before Monday" })).await;
    assert_eq!(answer.json()["state"], "cancelled", "{answer:?}");
    let again = desk.post(&path, &json!({ "why": "really" })).await;
    assert_eq!(again.json()["cancel"]["why"], "not before Monday", "asked again it changes nothing: {again:?}");
    desk.train("BTCUSDT").await;
    desk.complete().await;
    let answer = desk.post("/api/jobs/job-2/cancel", &json!({ "why": "too late" })).await;
    assert_eq!((answer.status, answer.detail()), (StatusCode::CONFLICT, "job-2 is completed: it is over".to_owned()));
    let answer = desk.post("/api/jobs/job-2/retry", &Value::Null).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    for path in ["/api/jobs/job-99/cancel", "/api/jobs/job-99/retry"] {
        let answer = desk.post(path, &json!({ "why": "x" })).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }
    let log = desk.appliance.log();
    let done: Vec<_> = log
        .iter()
        .filter(|row| row.action.starts_with("job."))
        .map(|row| (row.action.as_str(), row.subject.as_str()))
        .collect();
    let of = "job job-2 of xgboost_btcusdt_1h";
    assert_eq!(
        done,
        [("job.create", "job job-1 of xgboost_btcusdt_1h"), ("job.cancel", "job job-1"), ("job.create", of)],
        "{log:?}"
    );
}

/// A page of somebody who only looks shows no button, and the API has no answer for them either.
#[tokio::test]
async fn who_only_looks_changes_nothing() {
    let desk = Desk::new();
    let job = desk.train("BTCUSDT").await;
    for (path, body) in [
        ("/api/jobs".to_owned(), training("ETHUSDT")),
        ("/clm/train".to_owned(), json!({ "model_type": "xgboost" })),
        (format!("/api/jobs/{job}/cancel"), json!({ "why": "x" })),
        (format!("/api/jobs/{job}/retry"), Value::Null),
    ] {
        for who in [&desk.viewer, &desk.worker] {
            let answer = desk.appliance.send(who, Method::POST, &path, &body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {answer:?}");
        }
    }
    desk.appliance.add_user(Role::Viewer);
    let viewer = desk.appliance.session(Role::Viewer);
    for path in [format!("/jobs/{job}/cancel"), format!("/jobs/{job}/retry"), "/jobs".to_owned()] {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = desk.appliance.ask(&viewer, Method::POST, &path, "why=x", &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {answer:?}");
    }
    let page = desk.appliance.get(&viewer, &format!("/jobs/{job}")).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("/cancel"), "{page:?}");
    assert_eq!(desk.look("/api/jobs?state=open").await["jobs"].as_array().unwrap().len(), 1);
}
