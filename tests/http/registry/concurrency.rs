//! Many who change one model at once.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Desk, MODEL};

const CLIENTS: usize = 64;

/// Rounds, in each of which a version is there to promote.
const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_who_saw_the_same_one_wins_each_round() {
    let desk = Arc::new(Desk::trusting());
    for number in 0..=ROUNDS {
        desk.fit(MODEL, &format!("v{number}")).await;
    }
    desk.register(MODEL, "never").await;
    desk.promote(MODEL, "v0").await;
    for round in 1..=ROUNDS {
        let seen = desk.look(&format!("/api/models/{MODEL}")).await;
        let tag = format!("\"{}\"", seen["revision"].as_str().unwrap());
        let production = seen["production"]["version"].as_str().unwrap().to_owned();
        let retired = desk.look(&format!("/api/versions?model={MODEL}&status=retired")).await;
        let retired = retired["versions"][0]["version"].as_str().map(str::to_owned);
        let start = Arc::new(Barrier::new(CLIENTS));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            // Each wants something else to be in production than what all of them saw there.
            let (path, body) = match (&retired, client % 2) {
                (Some(retired), 1) => {
                    (format!("/api/models/{MODEL}/rollback"), json!({ "target": retired, "why": format!("{client}") }))
                }
                _ => (
                    format!("/api/models/{MODEL}/versions/v{round}/promote"),
                    json!({ "why": format!("client {client}") }),
                ),
            };
            let (desk, tag, start) = (desk.clone(), tag.clone(), start.clone());
            clients.spawn(async move {
                start.wait().await;
                desk.post_with(&desk.operator, &path, &body, &[("if-match", &tag)]).await
            });
        }
        let answers = clients.join_all().await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        let winner = won[0].json()["version"].as_str().unwrap().to_owned();
        assert_ne!(winner, production, "round {round}");
        for lost in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
            assert_eq!(lost.status, StatusCode::CONFLICT, "round {round}: {lost:?}");
            assert!(lost.detail().contains(&winner), "it does not say what changed: {lost:?}");
        }
        let now = desk.look(&format!("/api/versions?model={MODEL}&status=production")).await;
        let now: Vec<_> = now["versions"].as_array().unwrap().iter().map(|version| &version["version"]).collect();
        assert_eq!(now, [&json!(winner)], "round {round}");
    }
    is_linear(&desk.look(&format!("/api/models/{MODEL}/history?limit=1000")).await);
}

/// Without a hole; each entry goes on from what the one before it left in production; and there is one at most.
fn is_linear(history: &Value) {
    let mut before = Value::Null;
    for (index, entry) in history["history"].as_array().unwrap().iter().rev().enumerate() {
        assert_eq!(entry["number"], index + 1, "{entry}");
        let step = entry["step"].as_str().unwrap();
        if matches!(step, "promoted" | "rolled_back") {
            assert_eq!(entry["previous"], before, "it replaced something else than what was there: {entry}");
            assert_eq!(entry["production"], entry["version"], "{entry}");
        } else {
            assert_eq!(entry["production"], before, "{step} changed what is in production: {entry}");
        }
        before = entry["production"].clone();
    }
    assert!(before.is_string(), "nothing was promoted");
}

/// Without a condition all of them get through, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_does_not_say_what_they_saw_still_makes_one_history() {
    let desk = Arc::new(Desk::trusting());
    for version in ["v1", "v2", "v3"] {
        desk.fit(MODEL, version).await;
        desk.promote(MODEL, version).await;
    }
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let desk = desk.clone();
        clients.spawn(async move {
            let target = ["v1", "v2", "v3", "before"][client % 4];
            let body = json!({ "target": target, "why": format!("client {client}") });
            desk.post(&desk.operator, &format!("/api/models/{MODEL}/rollback"), &body).await
        });
    }
    for answer in clients.join_all().await {
        // There is nothing before the first one.
        assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&answer.status), "{answer:?}");
    }
    is_linear(&desk.look(&format!("/api/models/{MODEL}/history?limit=1000")).await);
}
