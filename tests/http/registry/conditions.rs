//! Changes under a condition, changes that are sent twice, and who may make which.

use axum::http::{Method, StatusCode, header};
use quantum_clm::domain::role::Role;
use serde_json::{Value, json};

use super::{Desk, MODEL, good};
use crate::support::app::{Answer, As};

fn tag(answer: &Answer) -> String {
    answer.headers[header::ETAG].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_saw_something_else_is_told_what_changed() {
    let desk = Desk::trusting();
    for version in ["v1", "v2"] {
        desk.fit(MODEL, version).await;
    }
    let seen = tag(&desk.get(&format!("/api/models/{MODEL}")).await);
    assert_eq!(seen, tag(&desk.get(&format!("/api/models/{MODEL}/versions/v1")).await), "one tag for a model");
    let promote = async |version: &str, seen: &str| {
        let path = format!("/api/models/{MODEL}/versions/{version}/promote");
        desk.post_with(&desk.operator, &path, &json!({ "why": "the first one" }), &[("if-match", seen)]).await
    };
    let answer = promote("v1", &seen).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_ne!(tag(&answer), seen);
    assert_eq!(tag(&answer), tag(&desk.get(&format!("/api/models/{MODEL}")).await), "the answer has the new one");

    let answer = promote("v2", &seen).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    let detail = answer.detail();
    for what in ["v1 was promoted", "token:operator registry"] {
        assert!(detail.contains(what), "{what} is not in {detail:?}");
    }
    // What somebody believes to be in production.
    for (believed, status) in [("\"none\"", 409), ("\"v2\"", 409), ("\"r999\"", 409), ("\"a b\"", 422), ("\"v1\"", 200)]
    {
        let answer = promote("v2", believed).await;
        assert_eq!(answer.status, status, "{believed}: {answer:?}");
    }
}

#[tokio::test]
async fn each_change_heeds_what_its_sender_believes() {
    let desk = Desk::trusting();
    desk.fit(MODEL, "v1").await;
    desk.register(MODEL, "v2").await;
    let version = |version: &str, what: &str| format!("/api/models/{MODEL}/versions/{version}/{what}");
    let mut new = super::new_version();
    new["version"] = json!("v3");
    let before = desk.look(&format!("/api/models/{MODEL}")).await;
    for (method, path, body) in [
        (Method::POST, format!("/api/models/{MODEL}/versions"), new),
        (Method::POST, version("v2", "evaluations"), good("backtest")),
        (Method::POST, version("v2", "gates"), Value::Null),
        (Method::POST, version("v2", "status"), json!({ "status": "failed", "why": "x" })),
        (Method::POST, version("v1", "promote"), json!({ "why": "x" })),
        (Method::POST, version("v1", "approve"), json!({})),
        (Method::POST, version("v1", "deny"), json!({ "why": "x" })),
        (Method::POST, format!("/api/models/{MODEL}/rollback"), json!({ "target": "before", "why": "x" })),
        (
            Method::POST,
            "/clm/promote".to_owned(),
            json!({ "model_id": MODEL, "version": "v1", "promoted_by": "x", "reason": "x" }),
        ),
        (
            Method::POST,
            "/clm/rollback".to_owned(),
            json!({ "model_id": MODEL, "target_version": "v1", "rollback_by": "x", "reason": "x" }),
        ),
        (Method::DELETE, format!("/api/models/{MODEL}/versions/v2?why=x"), Value::Null),
    ] {
        let answer =
            desk.appliance.ask(&desk.admin, method.clone(), &path, &body.to_string(), &[("if-match", "\"r1\"")]).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{method} {path}: {answer:?}");
        assert!(answer.detail().contains("has changed since"), "{method} {path}: {answer:?}");
    }
    assert_eq!(desk.look(&format!("/api/models/{MODEL}")).await, before, "something was changed all the same");
}

#[tokio::test]
async fn sent_twice_done_once() {
    let desk = Desk::trusting();
    let path = format!("/api/models/{MODEL}/versions");
    let register = async |key: &str, features: u32| {
        let mut body = super::new_version();
        body["feature_count"] = json!(features);
        desk.post_with(&desk.worker, &path, &body, &[("idempotency-key", key)]).await
    };
    let first = register("job 1", 49).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let place = first.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(desk.look(place).await["status"], "training");
    let again = register("job 1", 49).await;
    assert_eq!((again.status, again.json()), (first.status, first.json()), "another one was registered");
    let other = register("job 1", 50).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{other:?}");
    assert!(other.detail().contains("Idempotency-Key"), "{other:?}");
    // Without a key, and in the same second, it is another version.
    let another = register("job 2", 49).await;
    assert_ne!(another.json()["version"], first.json()["version"]);

    let version = first.json()["version"].as_str().unwrap().to_owned();
    let path = format!("/api/models/{MODEL}/versions/{version}/evaluations");
    let key = [("idempotency-key", "evaluation 1")];
    let first = desk.post_with(&desk.worker, &path, &good("backtest"), &key).await;
    let again = desk.post_with(&desk.worker, &path, &good("backtest"), &key).await;
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    let listed = desk.look(&path).await;
    assert_eq!(listed["evaluations"].as_array().unwrap().len(), 1, "it counts once as a trial: {listed}");
}

#[tokio::test]
async fn a_second_person_approves() {
    let desk = Desk::configured(|config| {
        super::trusting(config);
        config.promotion.approval = true;
    });
    [Role::Operator, Role::Admin].into_iter().for_each(|role| desk.appliance.add_user(role));
    let (asker, second) = (desk.appliance.session(Role::Operator), desk.appliance.session(Role::Admin));
    desk.fit(MODEL, "v1").await;
    let act = async |who: &As, what: &str, body: Value| {
        desk.post(who, &format!("/api/models/{MODEL}/versions/v1/{what}"), &body).await
    };
    let asked = act(&asker, "promote", json!({ "why": "the shadow test is fine" })).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    assert_eq!(asked.json()["approval"]["asked_by"], "operator");
    let model = desk.look(&format!("/api/models/{MODEL}")).await;
    assert_eq!(model["approvals"][0]["version"], "v1", "{model}");

    let answer = act(&asker, "approve", json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "who asked approved: {answer:?}");
    let answer = act(&desk.admin, "approve", json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "a token approved: {answer:?}");
    let denied = act(&second, "deny", json!({ "why": "not today" })).await;
    assert_eq!(denied.status, StatusCode::OK, "{denied:?}");
    let answer = act(&second, "approve", json!({})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "what was denied was approved: {answer:?}");

    act(&asker, "promote", json!({ "why": "the shadow test is fine" })).await;
    let approved = act(&second, "approve", json!({ "why": "looked at it" })).await;
    assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
    assert_eq!(desk.status(MODEL, "v1").await, "production");
    let history = desk.look(&format!("/api/models/{MODEL}/history?limit=1")).await;
    let step = &history["history"][0];
    assert_eq!((&step["by"], &step["approved_by"]), (&json!("operator"), &json!("admin")), "{step}");
}

#[tokio::test]
async fn what_a_worker_may_not() {
    let desk = Desk::trusting();
    desk.fit(MODEL, "v1").await;
    let path = |what: &str| format!("/api/models/{MODEL}/versions/v1/{what}");
    let answer = desk.post(&desk.worker, &path("status"), &json!({ "status": "failed", "why": "x" })).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "a candidate is no worker's to give up: {answer:?}");
    for (path, body) in [
        (path("promote"), json!({ "why": "x" })),
        (format!("/api/models/{MODEL}/rollback"), json!({ "target": "before", "why": "x" })),
        ("/clm/promote".to_owned(), json!({})),
    ] {
        assert_eq!(desk.post(&desk.worker, &path, &body).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn what_something_refers_to_is_not_deleted() {
    let desk = Desk::trusting();
    desk.fit(MODEL, "v1").await;
    desk.promote(MODEL, "v1").await;
    let delete = async |version: &str, query: &str| {
        let path = format!("/api/models/{MODEL}/versions/{version}{query}");
        desk.appliance.ask(&desk.operator, Method::DELETE, &path, "", &[]).await
    };
    assert_eq!(delete("v1", "?why=old").await.status, StatusCode::CONFLICT, "it is in production");
    desk.register(MODEL, "v2").await;
    assert_eq!(delete("v2", "").await.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody said why");
    let answer = delete("v2", "?why=a+slip").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let left = desk.look(&format!("/api/models/{MODEL}/versions/v2")).await;
    assert_eq!(left["deleted"]["why"], "a slip", "{left}");
    let listed = desk.look(&format!("/api/versions?model={MODEL}")).await;
    assert_eq!(listed["versions"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(delete("v2", "?why=again").await.status, StatusCode::CONFLICT);
    let mut again = super::new_version();
    again["version"] = json!("v2");
    let answer = desk.post(&desk.worker, &format!("/api/models/{MODEL}/versions"), &again).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    assert!(answer.detail().contains("a name is never given twice"), "{answer:?}");
}
