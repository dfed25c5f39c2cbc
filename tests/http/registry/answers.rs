//! Every answer about models as it stands. What differs from run to run is taken out.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Desk, MODEL, bad};
use crate::support::app::As;

/// Instants of the run, not those that were sent in.
fn redact(value: &mut Value) {
    let instant = regex::Regex::new(r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").unwrap();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    // A place in a list; it begins with an instant.
                    "next" if value.is_string() => *value = json!("<next>"),
                    _ => redact(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        // The last digits of a figure are the processor's.
        Value::Number(number) if number.is_f64() => {
            *value = json!(format!("{:.9e}", number.as_f64().unwrap()).parse::<f64>().unwrap());
        }
        Value::String(text) => *text = instant.replace_all(text, "<now>").into_owned(),
        _ => {}
    }
}

/// Sixty days with an edge: some are lost.
fn backtest() -> Value {
    let values: Vec<f64> = (0..60).map(|day| [0.012, -0.004, 0.009, -0.007, 0.003][day % 5]).collect();
    json!({ "type": "backtest", "returns": { "first_day": "2025-01-01", "values": values } })
}

#[tokio::test]
async fn every_answer() {
    let desk = Desk::configured(super::trusting);
    let version = |name: &str, what: &str| format!("/api/models/{MODEL}/versions/{name}{what}");
    let versions = format!("/api/models/{MODEL}/versions");
    let model = format!("/api/models/{MODEL}");
    let mut first = super::new_version();
    first["version"] = json!("v20260117_034606");
    let mut second = first.clone();
    (second["version"], second["parent"]) = (json!("v20260124_034606"), json!("v20260117_034606"));
    second["parameters"]["max_depth"] = json!(8);
    let (a, b) = ("v20260117_034606", "v20260124_034606");
    let why = json!({ "why": "a good reason, and a long one" });
    let forced = json!({ "why": "a good reason, and a long one", "force": true });
    let get = |path: String| (Method::GET, path, Value::Null);
    let post = |path: String, body: Value| (Method::POST, path, body);
    let put = |path: String, body: Value| (Method::PUT, path, body);
    let clm = |what: &str, mut body: Value| {
        body["model_id"] = json!(MODEL);
        (Method::POST, format!("/clm/{what}"), body)
    };
    for (name, (method, path, body)) in [
        ("no_models", get("/api/models".into())),
        ("clm_status_of_nothing", get("/clm/status".into())),
        ("registered", post(versions.clone(), first.clone())),
        ("registered_twice", post(versions.clone(), first)),
        ("file", put(version(a, "/artifacts/model.json"), json!({ "a": 1 }))),
        ("registered_second", post(versions.clone(), second)),
        ("file_of_second", put(version(b, "/artifacts/model.json"), json!({ "b": 2 }))),
        ("version", get(version(a, ""))),
        ("version_unknown", get(version("v9", ""))),
        ("model_unknown", get("/api/models/tft_multi_4h".into())),
        ("evaluated", post(version(a, "/evaluations"), backtest())),
        ("evaluated_bad", post(version(b, "/evaluations"), bad())),
        ("evaluation", get(version(a, "/evaluations/1"))),
        ("evaluations", get(version(b, "/evaluations"))),
        ("gates", get(version(b, "/gates"))),
        ("gates_applied", post(version(a, "/gates"), Value::Null)),
        ("moved", post(version(b, "/status"), json!({ "status": "shadow", "why": "let it watch" }))),
        ("promotion_refused", post(version(b, "/promote"), why.clone())),
        ("promoted", post(version(b, "/promote"), forced.clone())),
        ("promoted_again", post(version(b, "/promote"), forced.clone())),
        ("promoted_other", post(version(a, "/promote"), forced)),
        ("rolled_back", post(format!("{model}/rollback"), json!({ "target": "before", "why": "drawdown" }))),
        ("rolled_back_to_the_same", post(format!("{model}/rollback"), json!({ "target": b, "why": "drawdown" }))),
        ("nothing_to_approve", post(version(b, "/approve"), json!({}))),
        ("nothing_to_deny", post(version(b, "/deny"), why)),
        ("model", get(model.clone())),
        ("models", get("/api/models".into())),
        ("versions", get("/api/versions?limit=1".into())),
        ("history", get(format!("{model}/history?limit=2"))),
        ("production", get(format!("{model}/production"))),
        ("production_before", get(format!("{model}/production?at=2020-01-01T00:00:00Z"))),
        ("production_of_all", get("/api/production".into())),
        ("compared", get(format!("/api/compare?version={MODEL}/{a}&version={MODEL}/{b}"))),
        ("compared_one", get(format!("/api/compare?version={MODEL}/{a}"))),
        ("deleted_refused", (Method::DELETE, version(a, "?why=old"), Value::Null)),
        ("clm_status", get("/clm/status".into())),
        ("clm_models", get("/clm/models?limit=1".into())),
        ("clm_models_malformed", get("/clm/models?status=lost".into())),
        ("clm_promote_refused", clm("promote", json!({ "version": "v9", "promoted_by": "anna", "reason": "x" }))),
        ("clm_promote_malformed", clm("promote", json!({ "version": "v9" }))),
        ("clm_rollback", clm("rollback", json!({ "target_version": a, "rollback_by": "anna", "reason": "drawdown" }))),
    ] {
        let who: &As = if method == Method::GET { &desk.viewer } else { &desk.admin };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = desk.appliance.ask(who, method.clone(), &path, &body, &[]).await;
        let mut shown = answer.json();
        redact(&mut shown);
        insta::assert_json_snapshot!(
            format!("answers__{name}"),
            json!({ "request": format!("{method} {path}"), "status": answer.status.as_u16(), "body": shown })
        );
    }
}
