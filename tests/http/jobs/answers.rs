//! Every answer about jobs as it stands. What differs from run to run is taken out.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Desk, training};

/// Instants and spans of the run, not those that were sent in.
fn redact(value: &mut Value) {
    let instant = regex::Regex::new(r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").unwrap();
    let version = regex::Regex::new(r"v20\d{6}_\d{6}").unwrap();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "duration_ms" if value.is_u64() => *value = json!("<duration>"),
                    // It depends on the version's name, which is an instant.
                    "inputs" => *value = json!("<digest>"),
                    _ => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        // The last digits of a figure are the processor's.
        Value::Number(number) if number.is_f64() => {
            *value = json!(format!("{:.6e}", number.as_f64().unwrap()).parse::<f64>().unwrap());
        }
        Value::String(text) => {
            *text = version.replace_all(&instant.replace_all(text, "<now>"), "<version>").into_owned();
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_answer() {
    let desk = Desk::new();
    let show = async |name: &str, method: Method, path: &str, body: Value| {
        let who = if method == Method::GET { &desk.viewer } else { &desk.operator };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = desk.appliance.ask(who, method.clone(), path, &body, &[]).await;
        let mut shown = answer.json();
        redact(&mut shown);
        insta::assert_json_snapshot!(
            format!("answers__{name}"),
            json!({ "request": format!("{method} {path}"), "status": answer.status.as_u16(), "body": shown })
        );
    };
    let get = async |name: &str, path: &str| show(name, Method::GET, path, Value::Null).await;
    let post = async |name: &str, path: &str, body: Value| show(name, Method::POST, path, body).await;

    get("none", "/api/jobs").await;
    get("clm_none", "/clm/jobs").await;
    get("no_workers", "/api/workers").await;
    get("unknown", "/api/jobs/job-9").await;
    get("clm_unknown", "/clm/jobs/9f3c1c1e").await;
    let predecessors = json!({
        "model_type": "xgboost", "symbol": "BTCUSDT", "timeframe": "1h", "dataset_span_days": 180,
        "training_params": { "max_depth": 6 },
    });
    post("clm_train", "/clm/train", predecessors.clone()).await;
    post("clm_train_again", "/clm/train", predecessors).await;
    post("clm_train_malformed", "/clm/train", json!({ "model_type": "gpt" })).await;
    let mut asked = training("ETHUSDT");
    (asked["priority"], asked["timeframe"]) = (json!("high"), json!("4h"));
    post("asked", "/api/jobs", asked).await;
    post("asked_for_nothing", "/api/jobs", json!({})).await;
    get("waiting", "/api/jobs?state=pending").await;

    let first = desk.lease().await;
    assert_eq!(first["job"], "job-2", "what has the higher priority goes first");
    let beat = json!({
        "epoch": 1, "progress": 0.25, "message": "page 3 of 12",
        "resources": { "memory_peak": 1_048_576, "cpu_ms": 250, "output_bytes": 120 },
    });
    desk.say("/api/work/jobs/job-2/beat", &beat).await;
    desk.write("job-2", 1, 0, "2026-06-01T00:00:00.000Z out page 3 of 12\n").await;
    get("running", "/api/jobs/job-2").await;
    get("workers", "/api/workers").await;
    get("log", "/api/jobs/job-2/log").await;
    post("retried_while_running", "/api/jobs/job-2/retry", Value::Null).await;
    post("called_off", "/api/jobs/job-2/cancel", json!({ "why": "the exchange changed its fees" })).await;
    let over = desk.report(&first, &json!({ "outcome": "cancelled" })).await;
    assert_eq!(over, json!({ "next": "over", "ending": "cancelled" }));
    get("cancelled", "/api/jobs/job-2").await;
    post("cancelled_again", "/api/jobs/job-2/cancel", json!({ "why": "once more" })).await;

    assert_eq!(desk.fail("ValueError: no rows for BTCUSDT").await, "job-1");
    get("failed", "/api/jobs/job-1").await;
    get("artifacts_of_none", "/api/jobs/job-1/artifacts").await;
    post("retried", "/api/jobs/job-1/retry", Value::Null).await;
    assert_eq!(desk.complete().await, "job-3");
    get("completed", "/api/jobs/job-3").await;
    get("results", "/api/jobs/job-3/results?program=data").await;
    get("artifacts", "/api/jobs/job-3/artifacts").await;
    get("clm_completed", "/clm/jobs/job-3").await;
    get("clm_failed", "/clm/jobs/job-2").await;
    get("clm_list", "/clm/jobs?limit=2").await;
    get("clm_list_malformed", "/clm/jobs?status=lost").await;
    get("list", "/api/jobs?state=over&limit=2").await;
    get("list_malformed", "/api/jobs?state=lots").await;
    get("clm_status", "/clm/status").await;
}
