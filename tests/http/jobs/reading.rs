//! Lists and what they are narrowed to, pages of them, and one job with what was done again.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Desk, words};
use crate::support::work::{data_result, done, failed};

fn ids(page: &Value) -> Vec<&str> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_are_narrowed_and_come_in_pages() {
    let desk = Desk::new();
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        desk.train(symbol).await;
    }
    let other = desk.post("/api/jobs", &json!({ "model_type": "tft", "symbol": "BTCUSDT", "timeframe": "4h" })).await;
    assert_eq!(other.status, StatusCode::CREATED);
    desk.fail("no rows").await;
    desk.lease().await;
    desk.post("/api/jobs/job-3/cancel", &json!({ "why": "not now" })).await;
    for (query, expected) in [
        ("", &["job-4", "job-3", "job-2", "job-1"][..]),
        ("state=pending", &["job-4"]),
        ("state=failed", &["job-1"]),
        ("state=cancelled", &["job-3"]),
        ("state=held", &["job-2"]),
        ("state=open", &["job-4", "job-2"]),
        ("state=over", &["job-3", "job-1"]),
        ("type=tft", &["job-4"]),
        ("type=xgboost&state=over", &["job-3", "job-1"]),
        ("model=xgboost_ethusdt_1h", &["job-2"]),
        ("model=xgboost_none_1h", &[]),
        ("trigger=manual&limit=1", &["job-4"]),
        ("trigger=periodic", &[]),
        // As forms send what is not filled in.
        ("state=&type=&model=&trigger=&limit=&cursor=", &["job-4", "job-3", "job-2", "job-1"]),
    ] {
        let page = desk.look(&format!("/api/jobs?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    let mut walked = Vec::new();
    let mut path = "/api/jobs?limit=1&type=xgboost".to_owned();
    loop {
        let page = desk.look(&path).await;
        walked.extend(ids(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/jobs?limit=1&type=xgboost&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(walked, ["job-3", "job-2", "job-1"]);
    for (query, expected) in [
        ("state=lots", "use pending"),
        ("type=gpt", "model type"),
        ("model=..", "model"),
        ("trigger=boredom", "trigger"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=many", "limit"),
        ("cursor=yesterday", "not the `next`"),
        ("colour=red", "colour"),
    ] {
        let answer = desk.get(&format!("/api/jobs?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer:?}");
        assert!(words(&answer).contains(expected), "{query}: {}", words(&answer));
    }
    for path in ["/api/jobs/17", "/api/jobs/job-0", "/api/jobs/job-1x", "/api/jobs/x/results"] {
        let answer = desk.get(path).await;
        assert!([404, 422].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
    let answer = desk.get("/api/jobs/job-1/results?program=dance").await;
    assert!(words(&answer).contains("use data, train, evaluate or hook"), "{answer:?}");
}

#[tokio::test]
async fn why_a_job_waits() {
    let desk = Desk::configured(|config| config.jobs.running = 1);
    let waits = async |job: &str| desk.look(&format!("/api/jobs/{job}")).await["waiting"].clone();
    desk.train("BTCUSDT").await;
    assert_eq!(waits("job-1").await["in_words"], "no worker that was heard of lately has the program data");
    desk.lease().await;
    assert_eq!(waits("job-1").await, Value::Null);
    desk.train("ETHUSDT").await;
    assert_eq!(waits("job-2").await["in_words"], "the one place for a job is taken");
    let page = desk.look("/api/jobs?state=pending").await;
    assert_eq!(page["jobs"][0]["waiting"], waits("job-2").await, "the list says the same");
}

#[tokio::test]
async fn workers_and_what_they_have() {
    let desk = Desk::new();
    let workers = async || desk.look("/api/workers").await["workers"].clone();
    assert_eq!(workers().await, json!([]));
    desk.train("BTCUSDT").await;
    let first = desk.lease().await;
    let seen = workers().await;
    assert_eq!((&seen[0]["name"], &seen[0]["here"]), (&json!("trainer-1"), &json!(true)), "{seen}");
    assert_eq!(seen[0]["jobs"], json!(["job-1"]), "it has it from the moment that it was given");
    desk.report(&first, &failed("no rows")).await;
    assert_eq!(workers().await[0]["jobs"], json!([]));
}

#[tokio::test]
async fn a_retry_goes_on_behind_what_was_done_and_both_know_of_each_other() {
    let desk = Desk::new();
    desk.train("BTCUSDT").await;
    let first = desk.lease().await;
    let train = desk.report(&first, &done(data_result(), json!({}))).await;
    desk.report(&train["assignment"], &failed("the loss is NaN")).await;
    let answer = desk.post("/api/jobs/job-1/retry", &Value::Null).await;
    assert_eq!((answer.status, &answer.json()["retry_of"]), (StatusCode::CREATED, &json!("job-1")), "{answer:?}");
    let retry = desk.look("/api/jobs/job-2").await;
    assert_eq!(retry["earlier"][0]["job_id"], "job-1", "{retry}");
    let data = &retry["steps"][1];
    assert_eq!((&data["state"], &data["tries"][0]["epoch"]), (&json!("done"), &json!(0)), "taken over: {data}");
    assert_eq!(retry["resources"]["cpu_ms"], Value::Null, "what was taken over cost nothing again: {retry}");
    let before = desk.look("/api/jobs/job-1").await;
    assert_eq!(before["later"][0]["job_id"], "job-2", "{before}");
    let train = &before["steps"][2];
    assert_eq!((&train["state"], &train["tries"][0]["failure"]["why"]), (&json!("failed"), &json!("the loss is NaN")));
    assert_eq!(before["resources"]["cpu_ms"], 3_000, "of all tries: {before}");
}
