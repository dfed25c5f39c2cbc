//! What the predecessor's own tests did, scenario by scenario: its users know the product by these. (Its jobs' life cycle
//! is in `jobs/clm.rs`.)

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Desk, MODEL, bad, good};

#[tokio::test]
async fn a_versions_life_from_registration_to_retirement() {
    let desk = Desk::configured(|config| config.gates.accept_reported = true);
    desk.register(MODEL, "v20260117_034606").await;
    assert_eq!(desk.status(MODEL, "v20260117_034606").await, "training");

    let judged = desk.evaluate(MODEL, "v20260117_034606", &good("backtest")).await;
    assert_eq!((&judged["from"], &judged["passed"]), (&json!("training"), &json!(true)), "{judged}");
    let status = desk.status(MODEL, "v20260117_034606").await;
    assert_eq!(status, "candidate", "reported figures are accepted, so both gates opened: {judged}");

    // Production asks for a shadow test besides.
    let path = format!("/api/models/{MODEL}/versions/v20260117_034606/promote");
    let answer = desk.post(&desk.operator, &path, &json!({ "why": "a try" })).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    desk.evaluate(MODEL, "v20260117_034606", &good("shadow_test")).await;
    desk.promote(MODEL, "v20260117_034606").await;
    assert_eq!(desk.status(MODEL, "v20260117_034606").await, "production");

    desk.register(MODEL, "v20260124_034606").await;
    for kind in ["backtest", "shadow_test"] {
        desk.evaluate(MODEL, "v20260124_034606", &good(kind)).await;
    }
    let promoted = desk.promote(MODEL, "v20260124_034606").await;
    assert_eq!(promoted["previous"], "v20260117_034606");
    assert_eq!(desk.status(MODEL, "v20260117_034606").await, "retired");
    let version = desk.look(&format!("/api/models/{MODEL}/versions/v20260117_034606")).await;
    assert!(version["promoted_at"].is_string() && version["retired_at"].is_string(), "{version}");

    // Each step is in the history, in order and without a hole.
    let history = desk.look(&format!("/api/models/{MODEL}/history")).await;
    let steps: Vec<_> = history["history"].as_array().unwrap().iter().rev().collect();
    let numbers: Vec<_> = steps.iter().map(|step| step["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let told: Vec<_> = steps
        .iter()
        .filter(|step| step["version"] == "v20260117_034606")
        .map(|step| match (step["from"].as_str(), step["to"].as_str()) {
            (Some(from), Some(to)) => format!("{from} to {to}"),
            _ => step["step"].as_str().unwrap().to_owned(),
        })
        .collect();
    let expected = [
        "registered",
        "evaluated",
        "training to shadow",
        "shadow to candidate",
        "evaluated",
        "candidate to production",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_version_that_failed_stays_failed() {
    let desk = Desk::new();
    desk.register(MODEL, "v1").await;
    let path = format!("/api/models/{MODEL}/versions/v1/status");
    let failed = json!({ "status": "failed", "why": "the loss did not fall" });
    let answer = desk.post(&desk.worker, &path, &failed).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("failed")), "{answer:?}");
    let answer = desk.post(&desk.operator, &path, &json!({ "status": "shadow", "why": "once more" })).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.detail().contains("a failed version stays failed; register a new one"), "{answer:?}");
}

#[tokio::test]
async fn versions_by_type() {
    let desk = Desk::new();
    for model in ["xgboost_btcusdt_1h", "xgboost_ethusdt_1h", "nhits_btcusdt_4h"] {
        desk.register(model, "v1").await;
    }
    let models = async |query: &str| -> Vec<String> {
        let found = desk.look(&format!("/clm/models?{query}")).await;
        let models = found["models"].as_array().unwrap();
        assert_eq!(found["total"], models.len());
        models.iter().map(|model| model["model_id"].as_str().unwrap().to_owned()).collect()
    };
    let mut xgboost = models("model_type=xgboost").await;
    xgboost.sort();
    assert_eq!(xgboost, ["xgboost_btcusdt_1h", "xgboost_ethusdt_1h"]);
    assert_eq!(models("model_type=nhits").await, ["nhits_btcusdt_4h"]);
    assert!(models("model_type=tft").await.is_empty());
    assert_eq!(models("").await.len(), 3);
    assert_eq!(models("model_type=&status=&min_sharpe=&limit=2").await.len(), 2, "as the predecessor's clients ask");
}

#[tokio::test]
async fn versions_by_status() {
    let desk = Desk::trusting();
    desk.fit(MODEL, "v1").await;
    desk.promote(MODEL, "v1").await;
    desk.fit(MODEL, "v2").await;
    desk.promote(MODEL, "v2").await;
    desk.fit(MODEL, "v3").await;
    desk.register(MODEL, "v4").await;
    for (status, version) in [("retired", "v1"), ("production", "v2"), ("candidate", "v3"), ("training", "v4")] {
        for path in [format!("/clm/models?status={status}"), format!("/api/versions?status={status}")] {
            let found = desk.look(&path).await;
            let rows = found.get("models").or_else(|| found.get("versions")).unwrap().as_array().unwrap();
            assert_eq!(rows.len(), 1, "{path}: {found}");
            assert_eq!((&rows[0]["version"], &rows[0]["status"]), (&json!(version), &json!(status)), "{path}");
        }
    }
    let status = desk.look("/clm/status").await;
    let expected = json!({
        "total_model_ids": 1, "total_versions": 4,
        "status_counts": {
            "training": 1, "shadow": 0, "candidate": 1, "production": 1, "retired": 1, "failed": 0,
        },
        "training_jobs": { "total": 0, "pending": 0, "in_progress": 0, "completed": 0, "failed": 0 },
        "evaluations_count": 3,
    });
    assert_eq!(status["registry"], expected);
}

#[tokio::test]
async fn a_good_model_passes_the_gates() {
    let desk = Desk::trusting();
    desk.register(MODEL, "v1").await;
    let judged = desk.evaluate(MODEL, "v1", &good("backtest")).await;
    assert_eq!((&judged["passed"], &judged["failure_reason"]), (&json!(true), &json!("")), "{judged}");
    assert!(judged["promotion_score"].as_f64().unwrap() > 50.0, "{judged}");
    for verdict in judged["verdicts"].as_array().unwrap() {
        assert!(verdict["score"].as_f64().unwrap() > 50.0, "{verdict}");
    }
}

#[tokio::test]
async fn a_bad_model_does_not() {
    let desk = Desk::trusting();
    desk.register(MODEL, "v1").await;
    let judged = desk.evaluate(MODEL, "v1", &bad()).await;
    assert_eq!((&judged["passed"], &judged["status"]), (&json!(false), &json!("training")), "{judged}");
    assert!(judged["promotion_score"].as_f64().unwrap() < 50.0, "{judged}");
    assert_eq!(
        judged["failure_reason"],
        "Sharpe 0.600 < 1.0; WinRate 0.480 < 0.52; ProfitFactor 1.100 < 1.3; MaxDD 0.220 > 0.15",
    );
    // Applying the gates, as a training job does at its end, makes it a failed one.
    let answer = desk.post(&desk.worker, &format!("/api/models/{MODEL}/versions/v1/gates"), &Value::Null).await;
    assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("failed")), "{answer:?}");
}

#[tokio::test]
async fn promotion() {
    let desk = Desk::trusting();
    desk.fit(MODEL, "v1").await;
    let body = json!({
        "model_id": MODEL, "version": "v1", "promoted_by": "somebody else", "reason": "the first one", "force": false,
    });
    let answer = desk.post(&desk.operator, "/clm/promote", &body).await;
    let expected = json!({
        "success": true, "model_id": MODEL, "version": "v1", "status": "promoted",
        "promoted_by": "token:operator registry",
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected), "the credential says who it was");
    let found = desk.look("/clm/models?status=production&model_type=xgboost").await;
    assert!(found["models"][0]["promoted_at"].is_string(), "{found}");

    // A second one retires the first, in the same step.
    desk.fit(MODEL, "v2").await;
    desk.promote(MODEL, "v2").await;
    assert_eq!(desk.status(MODEL, "v1").await, "retired");
    assert_eq!(desk.status(MODEL, "v2").await, "production");
}

#[tokio::test]
async fn rollback() {
    let desk = Desk::trusting();
    for version in ["v1", "v2"] {
        desk.fit(MODEL, version).await;
        desk.promote(MODEL, version).await;
    }
    let body = |target: &str| json!({ "model_id": MODEL, "target_version": target, "reason": "drawdown", "rollback_by": "somebody else" });
    let answer = desk.post(&desk.operator, "/clm/rollback", &body("v1")).await;
    let expected = json!({
        "success": true, "model_id": MODEL, "version": "v1", "status": "rolled_back",
        "rollback_by": "token:operator registry", "reason": "drawdown",
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    assert_eq!(desk.status(MODEL, "v1").await, "production");
    assert_eq!(desk.status(MODEL, "v2").await, "retired");

    // To what is in production: without effect. To what never was: refused.
    let before = desk.look(&format!("/api/models/{MODEL}")).await["revision"].clone();
    let answer = desk.post(&desk.operator, "/clm/rollback", &body("v1")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(desk.look(&format!("/api/models/{MODEL}")).await["revision"], before, "nothing happened");
    desk.fit(MODEL, "v3").await;
    let answer = desk.post(&desk.operator, "/clm/rollback", &body("v3")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert!(answer.detail().contains("only what was in production before"), "{answer:?}");
}
