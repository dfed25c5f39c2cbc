//! Lists, pages, comparisons, and what was when.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Desk, MODEL, good};

/// Every page of a list, put together.
async fn all(desk: &Desk, path: &str, name: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let page = desk.look(&format!("{path}{join}limit={limit}&cursor={cursor}")).await;
        let found = page[name].as_array().unwrap();
        assert!(found.len() <= limit && (!found.is_empty() || rows.is_empty()), "{path}: {page}");
        rows.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return rows,
        }
    }
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let desk = Desk::trusting();
    for model in ["xgboost_btcusdt_1h", "xgboost_ethusdt_1h", "nhits_multi_4h"] {
        for version in ["v1", "v2", "v3"] {
            desk.fit(model, version).await;
        }
    }
    desk.promote(MODEL, "v2").await;
    for _ in 0..4 {
        desk.evaluate(MODEL, "v1", &good("backtest")).await;
    }
    for (path, name) in [
        ("/api/models", "models"),
        ("/api/models?sort=score", "models"),
        ("/api/versions", "versions"),
        ("/api/versions?type=xgboost", "versions"),
        ("/api/models/xgboost_btcusdt_1h/history", "history"),
        ("/api/models/xgboost_btcusdt_1h/versions/v1/evaluations", "evaluations"),
    ] {
        let whole = all(&desk, path, name, 1000).await;
        assert!(whole.len() >= 3, "{path}: {whole:?}");
        for limit in [1, 2] {
            assert_eq!(all(&desk, path, name, limit).await, whole, "{path} by {limit}");
        }
        let join = if path.contains('?') { '&' } else { '?' };
        let answer = desk.get(&format!("{path}{join}cursor=nonsense")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {answer:?}");
    }
    let first = &all(&desk, "/api/models?sort=score", "models", 10).await[0];
    assert_eq!(first["production"]["version"], "v2", "what has a score in production comes first");
    for (query, count) in [("symbol=multi", 1), ("symbol=BTCUSDT", 1), ("type=xgboost", 2), ("status=production", 1)] {
        assert_eq!(all(&desk, &format!("/api/models?{query}"), "models", 10).await.len(), count, "{query}");
    }
    for (query, count) in [
        ("tag=team", 9),
        ("tag=team=alpha", 9),
        ("tag=team=beta", 0),
        ("min_sharpe=1.5", 0),
        ("until=2020-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(all(&desk, &format!("/api/versions?{query}"), "versions", 100).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn compared_by_what_differs_first() {
    let desk = Desk::new();
    desk.register(MODEL, "v1").await;
    let mut other = super::new_version();
    (other["version"], other["parameters"]["max_depth"]) = (json!("v2"), json!(8));
    (other["parent"], other["tags"]["team"]) = (json!("v1"), json!("beta"));
    desk.post(&desk.worker, &format!("/api/models/{MODEL}/versions"), &other).await;
    let values: Vec<f64> = (0..60).map(|day| if day % 3 == 0 { -0.006 } else { 0.009 }).collect();
    let returns = json!({ "type": "backtest", "returns": { "first_day": "2026-01-01", "values": values } });
    desk.evaluate(MODEL, "v1", &returns).await;
    desk.evaluate(MODEL, "v2", &good("backtest")).await;

    let compared = desk.look(&format!("/api/compare?version={MODEL}/v1&version={MODEL}/v2")).await;
    let rows = compared["rows"].as_array().unwrap();
    let differs: Vec<_> = rows.iter().map(|row| row["differs"].as_bool().unwrap()).collect();
    assert!(differs.is_sorted_by_key(|differs| !differs), "{differs:?}");
    assert_eq!((&rows[0]["kind"], &rows[0]["name"]), (&json!("parameter"), &json!("max_depth")), "{compared}");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {rows:?}"));
    assert_eq!(row("eta")["differs"], false);
    assert_eq!(row("parent")["values"][1]["value"], "v1");
    assert_eq!(row("team")["differs"], true);

    // A figure that was computed has an interval around it; one that was merely reported has none.
    let sharpe = &row("sharpe_ratio")["values"];
    let (value, interval) = (sharpe[0]["value"].as_f64().unwrap(), &sharpe[0]["interval"]);
    assert!(interval["from"].as_f64().unwrap() < value && value < interval["until"].as_f64().unwrap(), "{sharpe}");
    assert_eq!(sharpe[0]["origin"], "computed");
    assert_eq!((&sharpe[1]["interval"], &sharpe[1]["origin"]), (&Value::Null, &json!("reported")));

    for query in ["", "version=x", "version=a/b", "version=a/b&version=../c", "colour=red"] {
        let answer = desk.get(&format!("/api/compare?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer:?}");
    }
    let five = vec![format!("version={MODEL}/v1"); 5].join("&");
    assert_eq!(desk.get(&format!("/api/compare?{five}")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = desk.get(&format!("/api/compare?version={MODEL}/v1&version={MODEL}/v9")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
}

#[tokio::test]
async fn what_was_in_production_when() {
    let desk = Desk::trusting();
    let mut instants = vec![];
    for version in ["v1", "v2"] {
        desk.fit(MODEL, version).await;
        desk.promote(MODEL, version).await;
        let detail = desk.look(&format!("/api/models/{MODEL}/versions/{version}")).await;
        instants.push(detail["promoted_at"].as_str().unwrap().to_owned());
    }
    let at = async |query: &str| desk.look(&format!("/api/models/{MODEL}/production{query}")).await["version"].clone();
    assert_eq!(at("?at=2020-01-01T00:00:00Z").await, Value::Null);
    assert_eq!(at("").await, "v2");
    // Written in milliseconds and kept in microseconds: the first instant that is surely after it is the next one.
    let second: chrono::DateTime<chrono::Utc> = instants[1].parse().unwrap();
    let before = second - chrono::Duration::milliseconds(1);
    let after = second + chrono::Duration::milliseconds(1);
    let written =
        |at: chrono::DateTime<chrono::Utc>| format!("?at={}", at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    assert_ne!(at(&written(before)).await, "v2");
    assert_eq!(at(&written(after)).await, "v2");
    let everywhere = desk.look("/api/production").await;
    assert_eq!(everywhere["production"][0]["version"], "v2", "{everywhere}");
    assert_eq!(desk.get("/api/models/tft_multi_4h/production").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        desk.get(&format!("/api/models/{MODEL}/production?at=then")).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn an_evaluation_is_given_back_with_its_returns() {
    let desk = Desk::new();
    desk.register(MODEL, "v1").await;
    let sent = json!({
        "type": "backtest",
        "trades": [
            { "closed_at": "2026-01-01T09:30:00Z", "return": 0.011, "confidence": 0.65 },
            { "closed_at": "2026-01-03T17:05:00Z", "return": -0.004, "confidence": 0.62 },
        ],
    });
    let judged = desk.evaluate(MODEL, "v1", &sent).await;
    let path = format!("/api/models/{MODEL}/versions/v1/evaluations/{}", judged["evaluation"]);
    let evaluation = desk.look(&path).await;
    let days: Vec<_> =
        evaluation["returns"]["values"].as_array().unwrap().iter().map(|day| day.as_f64().unwrap()).collect();
    assert_eq!(evaluation["returns"]["first_day"], "2026-01-01");
    assert!(days.len() == 3 && (days[0] - 0.011).abs() < 1e-12 && days[1] == 0.0, "{days:?}");
    assert_eq!(evaluation["trade_returns"], json!([0.011, -0.004]));
    assert_eq!(evaluation["calibration"][0]["count"], 2, "{evaluation}");
    assert_eq!(evaluation["metrics"]["total_trades"], json!({ "value": 2.0, "origin": "computed" }));
    let answer = desk.get(&format!("/api/models/{MODEL}/versions/v1/evaluations/99")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
}
