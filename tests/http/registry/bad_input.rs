//! What does not do, each refused with a sentence, and nothing changed by it.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Desk, MODEL};
use crate::support::app::Answer;

/// What a refusal says: its sentence, or those of what does not fit, each behind its place.
fn words(answer: &Answer) -> String {
    match &answer.json()["detail"] {
        Value::String(text) => text.clone(),
        Value::Array(misfits) => {
            let misfit = |misfit: &Value| format!("{} {}", misfit["loc"], misfit["msg"].as_str().unwrap());
            misfits.iter().map(misfit).collect::<Vec<_>>().join("; ")
        }
        other => panic!("no detail: {other}"),
    }
}

/// Sends each body; it has to be refused with one of these statuses, in words that hold these.
async fn refused(desk: &Desk, path: &str, cases: &[(&str, u16, &str)]) {
    for (body, status, expected) in cases {
        let answer = desk.appliance.ask(&desk.operator, Method::POST, path, body, &[]).await;
        let shown: String = body.chars().take(200).collect();
        assert_eq!(answer.status, *status, "{shown}: {answer:?}");
        let words = words(&answer);
        assert!(words.contains(expected), "{shown}: {words}");
        assert!(words.len() < 4_000, "{shown}: a refusal of {} bytes", words.len());
    }
}

#[tokio::test]
async fn versions_that_are_none() {
    let desk = Desk::new();
    let path = format!("/api/models/{MODEL}/versions");
    let with = |key: &str, value: &str| {
        let mut body = super::new_version();
        body[key] = json!("PLACE");
        body.to_string().replace("\"PLACE\"", value)
    };
    let window = |from: &str, until: &str| with("data", &json!({ "from": from, "until": until }).to_string());
    let many: serde_json::Map<_, _> = (0..300).map(|number| (format!("p{number}"), json!(1))).collect();
    let long = format!("\"{}\"", "x".repeat(300));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    let mut without = super::new_version();
    without.as_object_mut().unwrap().remove("job");
    let without = without.to_string();
    refused(
        &desk,
        &path,
        &[
            ("", 422, "EOF"),
            ("{\"job\": ", 422, "EOF"),
            ("null", 422, "invalid type"),
            (&with("train_metrics", "{\"loss\": NaN}"), 422, "expected value"),
            (&with("train_metrics", "{\"loss\": Infinity}"), 422, "expected value"),
            (&with("train_metrics", "{\"loss\": 1e999}"), 422, "number out of range"),
            (&with("validation_metrics", "{\"loss\": -1e999}"), 422, "number out of range"),
            (&with("train_metrics", "{\"loss\": \"low\"}"), 422, "invalid type"),
            (&with("parameters", "{\"eta\": 1e999}"), 422, "number out of range"),
            (&with("parameters", &Value::from(many).to_string()), 422, "more than 256 keys"),
            (&with("parameters", &deep), 422, "nests deeper"),
            (&with("feature_count", "-1"), 422, "invalid value"),
            (&with("feature_count", "4.5"), 422, "invalid type"),
            (&with("feature_count", "4294967296"), 422, "invalid value"),
            (&with("feature_count", "99999999999999999999999999"), 422, "invalid"),
            (&with("colour", "\"red\""), 422, "unknown field `colour`"),
            (&without, 422, "missing field `job`"),
            (&with("job", "\"\""), 422, "\"job\"] use 1 to 256 bytes"),
            (&with("job", &long), 422, "\"job\"] use 1 to 256 bytes"),
            (&with("job", "\"a\\nb\""), 422, "without control characters"),
            (&window("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), 422, "must begin before it ends"),
            (&window("2026-02-30T00:00:00Z", "2026-03-01T00:00:00Z"), 422, "out of range"),
            (&window("yesterday", "today"), 422, "\"yesterday\" is not RFC 3339"),
            (&with("version", "\"../../x\""), 422, "is no version"),
            (&with("version", "\"a b\""), 422, "is no version"),
            (&with("version", "7"), 422, "invalid type"),
            (&with("parent", "\"v0\""), 422, "there is no version v0"),
            (&with("tags", "{\"\": \"x\"}"), 422, "use 1 to 64 bytes"),
        ],
    )
    .await;
    // The model's id says what it is about, so a new one has to be readable.
    for (model, status) in [
        ("XGBOOST_btcusdt_1h", 422),
        ("gpt_btcusdt_1h", 422),
        ("xgboost", 422),
        ("xgboost_btcusdt_1h_bull_market", 422),
        ("..%2fx", 404),
        ("%2e%2e", 404),
        ("a%20b", 422),
    ] {
        let path = format!("/api/models/{model}/versions");
        let answer = desk.post(&desk.operator, &path, &super::new_version()).await;
        assert!(answer.status.is_client_error() && (answer.status == status || status == 404), "{model}: {answer:?}");
        assert!(!words(&answer).is_empty(), "{model}: {answer:?}");
    }
    assert_eq!(desk.look("/api/models").await["models"], json!([]), "something was registered");
}

#[tokio::test]
async fn evaluations_that_are_none() {
    let desk = Desk::new();
    desk.register(MODEL, "v1").await;
    let before = desk.look(&format!("/api/models/{MODEL}")).await;
    let path = format!("/api/models/{MODEL}/versions/v1/evaluations");
    let metrics = |metrics: &str| format!("{{\"type\": \"backtest\", \"metrics\": {metrics}}}");
    let returns = |returns: &str| format!("{{\"type\": \"backtest\", \"returns\": {returns}}}");
    let trades = |trades: &str| format!("{{\"type\": \"backtest\", \"trades\": [{trades}]}}");
    refused(
        &desk,
        &path,
        &[
            ("{}", 422, "missing field `type`"),
            ("{\"type\": \"guess\"}", 422, "unknown variant `guess`"),
            ("{\"type\": \"training_metrics\", \"metrics\": {}}", 422, "backtest"),
            (&metrics("{\"sharpe_ratio\": NaN}"), 422, "expected value"),
            (&metrics("{\"sharpe_ratio\": -Infinity}"), 422, "invalid number"),
            (&metrics("{\"sharpe_ratio\": 1e999}"), 422, "number out of range"),
            (&metrics("{\"sharpe_ratio\": \"1.4\"}"), 422, "invalid type"),
            (&metrics("{\"win_rate\": 1.2}"), 422, "win_rate"),
            (&metrics("{\"total_trades\": -1}"), 422, "invalid value"),
            (&metrics("{\"edge\": 1}"), 422, "unknown field `edge`"),
            (&returns("{\"first_day\": \"2026-01-01\", \"values\": [0.1, null]}"), 422, "invalid type: null"),
            (&returns("{\"first_day\": \"2026-01-01\", \"values\": [0.1, 1e999]}"), 422, "number out of range"),
            (&returns("{\"first_day\": \"2026-01-01\", \"values\": [0.1, 11]}"), 422, "returns"),
            (&returns("{\"first_day\": \"2026-01-01\", \"values\": [-1.5]}"), 422, "returns"),
            (&returns("{\"first_day\": \"2026-13-01\", \"values\": [0.1]}"), 422, "first_day"),
            (&returns("{\"values\": [0.1]}"), 422, "first_day"),
            (
                &returns("{\"start\": \"2026-01-01T00:00:00Z\", \"period_seconds\": 7, \"values\": [0.1]}"),
                422,
                "does not divide a day",
            ),
            (&trades("{\"return\": 0.1}"), 422, "missing field `closed_at`"),
            (&trades("{\"closed_at\": \"2026-01-01T00:00:00Z\"}"), 422, "return"),
            (&trades("{\"closed_at\": \"never\", \"return\": 0.1}"), 422, "never"),
            (
                &trades("{\"closed_at\": \"2026-01-01T00:00:00Z\", \"return\": 0.1, \"colour\": 1}"),
                422,
                "unknown field",
            ),
        ],
    )
    .await;
    assert_eq!(desk.look(&format!("/api/models/{MODEL}")).await, before, "something was recorded");
}

/// A million is the most of anything, and 32 MiB of everything: ten million trades are told what to send instead.
#[tokio::test]
async fn more_than_a_million() {
    let desk = Desk::new();
    desk.register(MODEL, "v1").await;
    let path = format!("/api/models/{MODEL}/versions/v1/evaluations");
    let many = |count: usize, head: &str, item: &str, tail: &str| {
        let mut body = String::with_capacity(head.len() + count * (item.len() + 1) + tail.len());
        body.push_str(head);
        for number in 0..count {
            if number > 0 {
                body.push(',');
            }
            body.push_str(item);
        }
        body.push_str(tail);
        body
    };
    let trade = "{\"closed_at\":0,\"return\":0}";
    let trades = many(1_000_001, "{\"type\":\"backtest\",\"trades\":[", trade, "]}");
    let values =
        many(1_000_001, "{\"type\":\"backtest\",\"returns\":{\"first_day\":\"2026-01-01\",\"values\":[", "0", "]}}");
    let larger = many(1_300_000, "{\"type\":\"backtest\",\"trades\":[", trade, "]}");
    assert!(larger.len() > 32 << 20);
    refused(
        &desk,
        &path,
        &[
            (&trades, 422, "more than 1,000,000"),
            (&values, 422, "more than 1,000,000"),
            (&larger, StatusCode::PAYLOAD_TOO_LARGE.as_u16(), "send `returns`"),
        ],
    )
    .await;
    assert_eq!(desk.look(&path).await["evaluations"], json!([]));
}
