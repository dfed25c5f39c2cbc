//! The predecessor's calls: what they refuse, and how.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Desk, MODEL, bad};

fn promote(version: &str) -> Value {
    json!({ "model_id": MODEL, "version": version, "promoted_by": "anna", "reason": "a test" })
}

#[tokio::test]
async fn refusals_of_a_promotion() {
    let desk = Desk::trusting();
    desk.register(MODEL, "v1").await;
    desk.evaluate(MODEL, "v1", &bad()).await;
    let mut unknown = promote("v1");
    unknown["model_id"] = json!("tft_multi_4h");
    let mut unsaid = promote("v1");
    unsaid["reason"] = json!(" ");
    for (body, words) in [
        (promote("v1"), "the gates are closed: "),
        (promote("v9"), "there is no version v9 of xgboost_btcusdt_1h"),
        (unknown, "there is no model tft_multi_4h"),
        (unsaid, "say why"),
    ] {
        let answer = desk.post(&desk.operator, "/clm/promote", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {answer:?}");
        assert!(answer.detail().contains(words), "{body}: {answer:?}");
    }
    assert_eq!(desk.status(MODEL, "v1").await, "training", "a refusal changes nothing");
}

#[tokio::test]
async fn force_is_for_admins_who_say_why() {
    let desk = Desk::trusting();
    desk.register(MODEL, "v1").await;
    desk.evaluate(MODEL, "v1", &bad()).await;
    let forced = |reason: &str| {
        let mut body = promote("v1");
        (body["force"], body["reason"]) = (json!(true), json!(reason));
        body
    };
    let long = "the exchange closes the old API tonight";
    let answer = desk.post(&desk.operator, "/clm/promote", &forced(long)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(answer.detail().contains("only an admin"), "{answer:?}");
    let answer = desk.post(&desk.admin, "/clm/promote", &forced("because")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert!(answer.detail().contains("20 characters"), "{answer:?}");
    let answer = desk.post(&desk.admin, "/clm/promote", &forced(long)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let version = desk.look(&format!("/api/models/{MODEL}/versions/v1")).await;
    let marked = &version["forced"][0];
    assert_eq!((&marked["by"], &marked["why"]), (&json!("token:admin registry"), &json!(long)), "{version}");
}

#[tokio::test]
async fn bodies_and_queries_that_do_not_fit() {
    let desk = Desk::new();
    let without = |key: &str| {
        let mut body = promote("v1");
        body.as_object_mut().unwrap().remove(key);
        body.to_string()
    };
    let with = |key: &str, value: Value| {
        let mut body = promote("v1");
        body[key] = value;
        body.to_string()
    };
    let bodies = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        without("model_id"),
        without("version"),
        without("promoted_by"),
        without("reason"),
        with("force", json!("yes")),
        with("version", json!(7)),
        with("model_id", json!("../../etc/passwd")),
        with("version", json!("v1/../v2")),
    ];
    for body in bodies {
        let answer = desk.appliance.ask(&desk.operator, axum::http::Method::POST, "/clm/promote", &body, &[]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer:?}");
        let misfit = &answer.json()["detail"][0];
        assert_eq!(misfit["loc"][0], "body", "{body}: {answer:?}");
        assert!(misfit["msg"].is_string() && misfit["type"].is_string(), "{body}: {answer:?}");
    }
    for query in [
        "status=lost",
        "status=PRODUCTION",
        "model_type=gpt",
        "min_sharpe=much",
        "min_sharpe=nan",
        "limit=x",
        "limit=0",
        "limit=-1",
    ] {
        let answer = desk.get(&format!("/clm/models?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer:?}");
        let misfit = &answer.json()["detail"][0];
        let name = query.split('=').next().unwrap();
        assert_eq!(misfit["loc"], json!(["query", name]), "{query}: {answer:?}");
    }
    // What the predecessor's framework passed over is passed over.
    assert_eq!(desk.get("/clm/models?colour=red").await.status, StatusCode::OK);
}

#[tokio::test]
async fn models_by_sharpe_newest_first_and_their_number() {
    let desk = Desk::new();
    for (version, sharpe) in [("v1", 0.4), ("v2", 1.2), ("v3", 2.0)] {
        desk.register(MODEL, version).await;
        let figures = json!({ "type": "backtest", "period_days": 30, "metrics": { "sharpe_ratio": sharpe } });
        desk.evaluate(MODEL, version, &figures).await;
    }
    let versions = async |query: &str| -> Vec<String> {
        let found = desk.look(&format!("/clm/models?{query}")).await;
        let models = found["models"].as_array().unwrap();
        assert_eq!(found["total"], models.len());
        models.iter().map(|model| model["version"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(versions("").await, ["v3", "v2", "v1"]);
    assert_eq!(versions("min_sharpe=1.2").await, ["v3", "v2"]);
    assert_eq!(versions("limit=1").await, ["v3"]);
}

#[tokio::test]
async fn a_second_person_is_waited_for() {
    let desk = Desk::configured(|config| {
        super::trusting(config);
        config.promotion.approval = true;
    });
    desk.fit(MODEL, "v1").await;
    let answer = desk.post(&desk.operator, "/clm/promote", &promote("v1")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["success"], &told["status"]), (&json!(false), &json!("waiting_for_approval")), "{told}");
    assert_eq!(desk.status(MODEL, "v1").await, "candidate");
}
