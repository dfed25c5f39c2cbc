//! Files of versions in parts: what a program reads of the draft "Resumable Uploads for HTTP" is what it finds.

use std::fs;
use std::path::PathBuf;

use axum::http::{Method, StatusCode};
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::role::Role;
use serde_json::json;

use crate::support::app::{Answer, Appliance, As};
use crate::support::models::{MODEL, register};

/// Of `abcdef`.
const SHA256: &str = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721";

fn appliance() -> (Appliance, As) {
    let appliance = Appliance::new();
    register(&appliance.app.registry, "v1");
    let worker = appliance.token(Grant::Scope(Scope::Worker), "trainer");
    (appliance, worker)
}

fn rest() -> String {
    format!("/api/models/{MODEL}/versions/v1/uploads/m?sha256={SHA256}")
}

fn whole() -> String {
    format!("/api/models/{MODEL}/versions/v1/artifacts/m?sha256={SHA256}")
}

async fn patch(appliance: &Appliance, who: &As, offset: u64, body: &str, complete: &str) -> Answer {
    let offset = offset.to_string();
    let kind = ("content-type", "application/partial-upload");
    let headers = [kind, ("upload-offset", &offset), ("upload-complete", complete)];
    appliance.ask(who, Method::PATCH, &rest(), body, &headers).await
}

/// How far it is, and whether it is all there.
async fn reached(appliance: &Appliance, who: &As) -> (String, String) {
    let answer = appliance.ask(who, Method::HEAD, &rest(), "", &[]).await;
    assert_eq!(
        (answer.status, &answer.headers["cache-control"]),
        (StatusCode::NO_CONTENT, &"no-store".parse().unwrap())
    );
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    (header("upload-offset"), header("upload-complete"))
}

fn told(offset: &str, complete: &str) -> (String, String) {
    (offset.to_owned(), complete.to_owned())
}

fn partials(appliance: &Appliance) -> Vec<PathBuf> {
    let incoming = appliance.app.store.path().parent().unwrap().join("artifacts/incoming");
    fs::read_dir(incoming).map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

#[tokio::test]
async fn in_parts_and_whole_at_the_end() {
    let (appliance, worker) = appliance();
    assert_eq!(reached(&appliance, &worker).await, told("0", "?0"), "nothing of it is there");
    let answer = patch(&appliance, &worker, 0, "abc", "?0").await;
    assert_eq!((answer.status, &answer.headers["upload-offset"]), (StatusCode::NO_CONTENT, &"3".parse().unwrap()));
    assert_eq!(reached(&appliance, &worker).await, told("3", "?0"));
    let listed = appliance.get(&worker, &format!("/api/models/{MODEL}/versions/v1/artifacts")).await;
    assert_ne!(listed.status, StatusCode::NOT_FOUND);
    assert!(!listed.body.contains(SHA256), "a part is no file of the version: {}", listed.body);
    let answer = patch(&appliance, &worker, 3, "def", "?1").await;
    let entry = json!({ "path": "m", "size": 6, "sha256": SHA256 });
    assert_eq!((answer.status, answer.json()), (StatusCode::CREATED, entry.clone()));
    assert_eq!(partials(&appliance), Vec::<PathBuf>::new());
    // The answer was lost: whoever asks again is told so, and need not send anything.
    assert_eq!(reached(&appliance, &worker).await, told("6", "?1"));
    let answer = patch(&appliance, &worker, 6, "", "?1").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, entry));
    let admin = appliance.token(Grant::Role(Role::Admin), "admin");
    let file = appliance.get(&admin, &format!("/api/models/{MODEL}/versions/v1/artifacts/m")).await;
    assert_eq!(file.body, "abcdef");
}

#[tokio::test]
async fn only_whoever_began_it_goes_on_with_it() {
    let (appliance, worker) = appliance();
    patch(&appliance, &worker, 0, "abc", "?0").await;
    let other = appliance.token(Grant::Scope(Scope::Worker), "another");
    assert_eq!(reached(&appliance, &other).await, told("0", "?0"), "another's part is told to nobody");
    let refused = patch(&appliance, &other, 3, "def", "?1").await;
    assert_eq!((refused.status, &refused.headers["upload-offset"]), (StatusCode::CONFLICT, &"0".parse().unwrap()));
    // Who sends other bytes under the same announcement spoils nothing but their own.
    assert_eq!(patch(&appliance, &other, 0, "xyz", "?0").await.status, StatusCode::NO_CONTENT);
    assert_eq!(patch(&appliance, &worker, 3, "def", "?1").await.status, StatusCode::CREATED);
    let viewer = appliance.token(Grant::Role(Role::Viewer), "viewer");
    assert_eq!(patch(&appliance, &viewer, 0, "abc", "?0").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_wrong_place_is_told_the_right_one() {
    let (appliance, worker) = appliance();
    patch(&appliance, &worker, 0, "abcd", "?0").await;
    for offset in [0, 3, 5] {
        let refused = patch(&appliance, &worker, offset, "x", "?0").await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{offset}: {}", refused.body);
        assert_eq!(refused.headers["upload-offset"], "4", "{offset}");
    }
    assert_eq!(reached(&appliance, &worker).await, told("4", "?0"), "and nothing has changed");
    let kind = ("content-type", "application/partial-upload");
    for (headers, status) in [
        (vec![kind, ("upload-complete", "?1")], 422),
        (vec![kind, ("upload-offset", "4")], 422),
        (vec![kind, ("upload-offset", "-4"), ("upload-complete", "?1")], 422),
        (vec![kind, ("upload-offset", "4"), ("upload-complete", "1")], 422),
        (vec![("upload-offset", "4"), ("upload-complete", "?1")], 415),
    ] {
        let answer = appliance.ask(&worker, Method::PATCH, &rest(), "ef", &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}: {}", answer.body);
    }
    let answer = appliance.ask(&worker, Method::PUT, &whole(), "abc", &[("upload-complete", "?0")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "a part is not taken for the whole: {}", answer.body);
    // Who knows nothing of all this sends the whole, as ever.
    let answer = appliance.ask(&worker, Method::PUT, &whole(), "abcdef", &[]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(partials(&appliance), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_was_damaged_meanwhile_is_found_and_begun_anew() {
    let (appliance, worker) = appliance();
    patch(&appliance, &worker, 0, "abc", "?0").await;
    let [partial] = &partials(&appliance)[..] else { panic!("{:?}", partials(&appliance)) };
    fs::write(partial, "aXc").unwrap();
    let refused = patch(&appliance, &worker, 3, "def", "?1").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
    assert!(refused.detail().contains("nothing of it was kept; send it again"), "{}", refused.detail());
    assert_eq!(reached(&appliance, &worker).await, told("0", "?0"));
    assert_eq!(patch(&appliance, &worker, 0, "abcdef", "?1").await.status, StatusCode::CREATED);
}
