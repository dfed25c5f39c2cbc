//! What programs wrote: pages, what is looked for, and what does not fit.

use axum::http::StatusCode;
use serde_json::Value;

use super::{Desk, words};

/// A log of so many lines, of a job that a worker has.
async fn logged(count: usize) -> (Desk, String) {
    let desk = Desk::new();
    let job = desk.train("BTCUSDT").await;
    desk.lease().await;
    let lines: String = (0..count).map(line).collect();
    let end = desk.write(&job, 1, 0, &lines).await;
    assert_eq!(end, lines.len() as u64);
    (desk, job)
}

fn line(number: usize) -> String {
    let stream = if number.is_multiple_of(10) { "err" } else { "out" };
    format!("2026-06-01T00:00:00.{number:03}Z {stream} round {number}: loss <0.{number}>\n")
}

fn texts(page: &Value) -> Vec<&str> {
    page["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_lines_and_those_before_them() {
    let (desk, job) = logged(500).await;
    let page = desk.look(&format!("/api/jobs/{job}/log")).await;
    assert_eq!((texts(&page).len(), texts(&page)[199]), (200, "round 499: loss <0.499>"));
    assert_eq!((&page["epoch"], &page["next"]), (&Value::from(1), &page["end"]));
    let before = format!("/api/jobs/{job}/log?before={}&limit=3", page["first"]);
    assert_eq!(texts(&desk.look(&before).await)[2], "round 299: loss <0.299>");
    let from = format!("/api/jobs/{job}/log?from={}&limit=2", page["first"]);
    let page = desk.look(&from).await;
    assert_eq!(texts(&page), ["round 300: loss <0.300>", "round 301: loss <0.301>"]);
    assert_eq!((&page["lines"][0]["stream"], &page["lines"][1]["stream"]), (&"err".into(), &"out".into()));
    let at = page["lines"][1]["offset"].as_u64().unwrap();
    let same = desk.look(&format!("/api/jobs/{job}/log?from={at}&limit=1")).await;
    assert_eq!(same["lines"][0], page["lines"][1], "an offset stays what it is");
}

#[tokio::test]
async fn looking_for_a_text_comes_to_the_end() {
    let (desk, job) = logged(500).await;
    let mut found = Vec::new();
    let (mut from, mut looks) = (0, 0);
    loop {
        let page = desk.look(&format!("/api/jobs/{job}/log?grep=%3A%20loss%20%3C0.4&limit=40&from={from}")).await;
        found.extend(texts(&page).into_iter().map(str::to_owned));
        from = page["next"].as_u64().unwrap();
        looks += 1;
        assert!(looks < 100, "it does not come to the end");
        if from >= page["end"].as_u64().unwrap() {
            break;
        }
    }
    // 4, 40 to 49, 400 to 499.
    assert_eq!(found.len(), 111, "{found:?}");
    let none = desk.look(&format!("/api/jobs/{job}/log?grep=nothing")).await;
    assert_eq!((texts(&none).len(), &none["next"]), (0, &none["end"]));
}

#[tokio::test]
async fn as_text_and_for_jobs_without_a_log() {
    let (desk, job) = logged(3).await;
    let answer = desk.get(&format!("/api/jobs/{job}/log?format=text&from=0")).await;
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.body, (0..3).map(line).collect::<String>());
    let other = desk.train("ETHUSDT").await;
    let page = desk.look(&format!("/api/jobs/{other}/log")).await;
    assert_eq!((&page["epoch"], texts(&page).len(), &page["epochs"]), (&0.into(), 0, &Value::Array(Vec::new())));
    // Each try has a log of its own.
    let page = desk.look(&format!("/api/jobs/{job}/log?epoch=7")).await;
    assert_eq!((texts(&page).len(), &page["epochs"]), (0, &serde_json::json!([1])));
}

#[tokio::test]
async fn queries_that_do_not_fit() {
    let (desk, job) = logged(1).await;
    let long = format!("grep={}", "x".repeat(300));
    for (query, expected) in [
        ("limit=0", "from 1 to 5000"),
        ("limit=5001", "from 1 to 5000"),
        ("from=1&before=2", "not both"),
        ("from=-1", "from"),
        ("epoch=last", "epoch"),
        (&long, "at most 256 bytes"),
        ("format=xml", "use json or text"),
        ("lines=3", "lines"),
    ] {
        let answer = desk.get(&format!("/api/jobs/{job}/log?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer:?}");
        assert!(words(&answer).contains(expected), "{query}: {}", words(&answer));
    }
    for path in ["/api/jobs/job-99/log", "/api/jobs/job-99/log/live"] {
        assert_eq!(desk.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let answer = desk.get(&format!("/api/jobs/{job}/log/live?from=x")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
    let odd = [("last-event-id", "yesterday")];
    let path = format!("/api/jobs/{job}/log/live");
    let answer = desk.appliance.ask(&desk.viewer, axum::http::Method::GET, &path, "", &odd).await;
    assert!(words(&answer).contains("Last-Event-ID"), "{answer:?}");
    // A page at the border of a character, or far behind the end, is an empty one and no failure.
    for from in ["3", "99999999999"] {
        let answer = desk.get(&format!("/api/jobs/{job}/log?from={from}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
}
