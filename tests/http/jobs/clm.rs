//! The predecessor's calls about jobs, to the letter (SPEC §4.6).

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Desk, words};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}

#[tokio::test]
async fn answers_have_the_fields_that_programs_read() {
    let desk = Desk::new();
    // The defaults: of several symbols, 1h, 90 days.
    let answer = desk.post("/clm/train", &json!({ "model_type": "lightgbm" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let train = answer.json();
    let fields = ["job_id", "model_type", "status", "trigger_reason", "triggered_by", "created_at"];
    assert_eq!(keys(&train), sorted(fields));
    assert_eq!((&train["status"], &train["trigger_reason"]), (&json!("pending"), &json!("manual")));
    let list = desk.look("/clm/jobs").await;
    assert_eq!(keys(&list), ["jobs", "total"]);
    let fields = [
        "job_id",
        "model_type",
        "status",
        "trigger_reason",
        "triggered_by",
        "triggered_at",
        "started_at",
        "completed_at",
        "error_message",
    ];
    assert_eq!(keys(&list["jobs"][0]), sorted(fields));
    let job = desk.look(&format!("/clm/jobs/{}", train["job_id"].as_str().unwrap())).await;
    assert_eq!(
        (&job["id"], &job["symbol"], &job["timeframe"], &job["dataset_span_days"], &job["training_params"]),
        (&train["job_id"], &Value::Null, &json!("1h"), &json!(90), &Value::Null)
    );
    assert!(!job.as_object().unwrap().contains_key("job_id"), "{job}");
}

/// What the predecessor's own test of a job's life cycle did, and what it could not: the version is there and judged.
#[tokio::test]
async fn a_trainings_life_from_the_call_to_its_version() {
    let desk = Desk::new();
    let asked = json!({
        "model_type": "xgboost", "symbol": "BTCUSDT", "timeframe": "1h", "dataset_span_days": 90,
        "training_params": { "n_estimators": 100 },
    });
    let train = desk.post("/clm/train", &asked).await.json();
    let id = train["job_id"].as_str().unwrap();
    let job = async || desk.look(&format!("/clm/jobs/{id}")).await;
    let waiting = job().await;
    assert_eq!((&waiting["status"], &waiting["started_at"]), (&json!("pending"), &Value::Null), "{waiting}");
    assert_eq!((&waiting["symbol"], &waiting["training_params"]["n_estimators"]), (&json!("BTCUSDT"), &json!(100)));
    let first = desk.lease().await;
    let request = &first["request"];
    assert_eq!((&request["symbol"], &request["dataset_span_days"]), (&json!("BTCUSDT"), &json!(90)), "{request}");
    assert_eq!(request["training_params"]["n_estimators"], 100, "the program is asked as the caller asked: {request}");
    let begun = job().await;
    assert_eq!((&begun["status"], begun["started_at"].is_string()), (&json!("in_progress"), true), "{begun}");
    desk.finish(&first).await;
    let over = job().await;
    assert_eq!((&over["status"], &over["error_message"]), (&json!("completed"), &Value::Null), "{over}");
    assert!(over["completed_at"].is_string() && over["started_at"] == begun["started_at"], "{over}");

    let models = desk.look("/clm/models?model_type=xgboost").await;
    let version = &models["models"][0];
    assert_eq!((&version["model_id"], &version["version"]), (&over["model_id"], &over["version"]), "{models}");
    assert_eq!(version["train_metrics"]["logloss"], 0.61, "{version}");
    let path =
        format!("/api/models/{}/versions/{}", over["model_id"].as_str().unwrap(), over["version"].as_str().unwrap());
    assert_eq!(desk.look(&path).await["job"], id, "the version names its job");
    let status = desk.look("/clm/status").await;
    assert_eq!(status["registry"]["evaluations_count"], 1, "{status}");
    assert_eq!(
        (&status["registry"]["training_jobs"]["completed"], &status["registry"]["total_versions"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn seven_states_are_four_words() {
    let desk = Desk::new();
    for symbol in ["A", "B", "C", "D"] {
        desk.train(symbol).await;
    }
    let failed = desk.fail("ValueError: no rows").await;
    let completed = desk.complete().await;
    let held = desk.lease().await["job"].as_str().unwrap().to_owned();
    desk.train("E").await;
    let cancelled = "job-5";
    desk.post(&format!("/api/jobs/{cancelled}/cancel"), &json!({ "why": "not now" })).await;
    let by_status = async |status: &str| {
        let list = desk.look(&format!("/clm/jobs?status={status}")).await;
        let jobs = list["jobs"].as_array().unwrap().clone();
        assert_eq!(list["total"], jobs.len());
        assert!(jobs.iter().all(|job| job["status"] == status), "{list}");
        jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by_status("pending").await, ["job-4"]);
    assert_eq!(by_status("in_progress").await, [held]);
    assert_eq!(by_status("completed").await, [completed]);
    assert_eq!(by_status("failed").await, [cancelled, failed.as_str()], "newest first");
    let error = async |id: &str| desk.look(&format!("/clm/jobs/{id}")).await["error_message"].clone();
    assert_eq!(error(&failed).await, "ValueError: no rows");
    assert_eq!(error(cancelled).await, "cancelled by token:operator desk: not now");
    let status = desk.look("/clm/status").await;
    let expected = json!({ "total": 5, "pending": 1, "in_progress": 1, "completed": 1, "failed": 2 });
    assert_eq!(status["registry"]["training_jobs"], expected);
}

#[tokio::test]
async fn what_does_not_fit() {
    let desk = Desk::new();
    let with = |key: &str, value: Value| {
        let mut body = Map::from_iter([("model_type".to_owned(), json!("xgboost"))]);
        body.insert(key.to_owned(), value);
        Value::Object(body).to_string()
    };
    for (body, expected) in [
        (String::new(), "EOF"),
        ("{}".to_owned(), "missing field `model_type`"),
        (with("model_type", json!("XGBoost 2")), "model_type"),
        (with("symbol", json!("BTC USDT")), "symbol"),
        (with("timeframe", json!("")), "timeframe"),
        (with("dataset_span_days", json!(-1)), "invalid value"),
        (with("dataset_span_days", json!(0)), "dataset_span_days"),
        (with("training_params", json!("fast")), "invalid type"),
    ] {
        let answer = desk.appliance.ask(&desk.operator, Method::POST, "/clm/train", &body, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer:?}");
        assert!(answer.json()["detail"].is_array() && words(&answer).contains(expected), "{body}: {}", words(&answer));
    }
    // What the predecessor's callers send besides was always passed over.
    let answer = desk.post("/clm/train", &json!({ "model_type": "xgboost", "colour": "red" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    for query in ["status=lost", "limit=0", "limit=x"] {
        let answer = desk.get(&format!("/clm/jobs?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer:?}");
    }
    assert_eq!(desk.look("/clm/jobs?colour=red").await["total"], 1);
    for id in ["job-7", "7f3c1c1e-11aa", "job-01", "%3Cscript%3E"] {
        let answer = desk.get(&format!("/clm/jobs/{id}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}: {answer:?}");
        assert!(answer.detail().starts_with("there is no training job "), "{answer:?}");
    }
}
