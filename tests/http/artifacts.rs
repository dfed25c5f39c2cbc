//! Files of versions over the API: who may, what is taken, and what is handed out.

use axum::http::{Method, StatusCode};
use quantum_clm::app::registry::Target;
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::model::ModelStatus;
use quantum_clm::domain::role::Role;
use serde_json::{Value, json};

use crate::support::app::{Answer, Appliance, As};
use crate::support::models::{MODEL, by_admin, model, register};

/// Of `abc`.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const ABC_BASE64: &str = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";

fn appliance() -> (Appliance, As) {
    let appliance = Appliance::new();
    register(&appliance.app.registry, "v1");
    let worker = appliance.token(Grant::Scope(Scope::Worker), "trainer");
    (appliance, worker)
}

fn files(version: &str) -> String {
    format!("/api/models/{MODEL}/versions/{version}/artifacts")
}

fn file(path: &str) -> String {
    format!("{}/{path}", files("v1"))
}

async fn put(appliance: &Appliance, who: &As, path: &str, body: &str, more: &[(&str, &str)]) -> Answer {
    appliance.ask(who, Method::PUT, path, body, more).await
}

#[tokio::test]
async fn sent_listed_and_handed_out() {
    let (appliance, worker) = appliance();
    let viewer = appliance.token(Grant::Role(Role::Viewer), "viewer");
    let answer = put(&appliance, &worker, &file("weights/model.bin"), "abc", &[]).await;
    let entry = json!({ "path": "weights/model.bin", "size": 3, "sha256": ABC });
    assert_eq!((answer.status, answer.json()), (StatusCode::CREATED, entry.clone()));
    let answer = put(&appliance, &worker, &file("weights/model.bin"), "abc", &[]).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, entry.clone()), "sent again");

    let answer = appliance.get(&viewer, &files("v1")).await;
    let expected = json!({
        "model_id": MODEL, "version": "v1", "in_place": null, "state": "sound", "size": 3, "files": [entry],
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));

    let answer = appliance.get(&viewer, &file("weights/model.bin")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "abc"));
    for (name, value) in [
        ("etag", format!("\"{ABC}\"")),
        ("content-length", "3".to_owned()),
        ("accept-ranges", "bytes".to_owned()),
        ("content-type", "application/octet-stream".to_owned()),
        ("content-disposition", "attachment; filename=\"model.bin\"".to_owned()),
        ("repr-digest", format!("sha-256=:{ABC_BASE64}:")),
        ("x-content-type-options", "nosniff".to_owned()),
    ] {
        assert_eq!(answer.headers.get(name).map(|value| value.to_str().unwrap()), Some(value.as_str()), "{name}");
    }
    // As it is written down.
    let log = appliance.log();
    let attached: Vec<_> = log.iter().filter(|row| row.action == "model.attach").collect();
    assert_eq!(attached.len(), 1, "{log:?}");
    assert!(attached[0].why.contains(ABC), "{attached:?}");
}

#[tokio::test]
async fn parts_of_a_file() {
    let (appliance, worker) = appliance();
    let text = "0123456789".repeat(30_000);
    assert_eq!(put(&appliance, &worker, &file("m"), &text, &[]).await.status, StatusCode::CREATED);
    let admin = appliance.token(Grant::Role(Role::Admin), "admin");
    let ask = async |range: &str| appliance.ask(&admin, Method::GET, &file("m"), "", &[("range", range)]).await;
    for (range, status, content_range, body) in [
        ("bytes=5-9", 206, "bytes 5-9/300000", "56789"),
        ("bytes=-3", 206, "bytes 299997-299999/300000", "789"),
        ("bytes=299998-", 206, "bytes 299998-299999/300000", "89"),
        // Over the borders of what is read at once.
        ("bytes=65535-131073", 206, "bytes 65535-131073/300000", &text[65_535..131_074]),
        ("bytes=0-", 206, "bytes 0-299999/300000", text.as_str()),
    ] {
        let answer = ask(range).await;
        assert_eq!(answer.status.as_u16(), status, "{range}");
        assert_eq!(answer.headers["content-range"], content_range, "{range}");
        assert_eq!(answer.headers["content-length"].to_str().unwrap(), body.len().to_string(), "{range}");
        assert!(answer.body == body, "{range}: other bytes");
    }
    let answer = ask("bytes=300000-").await;
    assert_eq!(
        (answer.status, &answer.headers["content-range"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &"bytes */300000".parse().unwrap())
    );
    assert!(answer.detail().contains("300000 bytes"));
    let etag = appliance.get(&admin, &file("m")).await.headers["etag"].to_str().unwrap().to_owned();
    let answer = appliance.ask(&admin, Method::GET, &file("m"), "", &[("if-none-match", &etag)]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let head = appliance.ask(&admin, Method::HEAD, &file("m"), "", &[]).await;
    assert_eq!(
        (head.status, &head.headers["content-length"], head.body.as_str()),
        (StatusCode::OK, &"300000".parse().unwrap(), "")
    );
}

#[tokio::test]
async fn what_is_not_taken() {
    let (appliance, worker) = appliance();
    assert_eq!(put(&appliance, &worker, &file("a/b"), "abc", &[]).await.status, StatusCode::CREATED);
    let long = "x".repeat(256);
    let wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let right = format!("sha-512=:AAAA:, sha-256=:{ABC_BASE64}:");
    for (path, body, headers, status, says) in [
        ("empty".to_owned(), "", vec![], 400, "empty"),
        ("wrong".to_owned(), "abc", vec![("content-digest", wrong)], 400, "not 0000"),
        (format!("wrong?sha256={}", "0".repeat(64)), "abc", vec![], 400, "nothing of it was kept"),
        ("wrong?sha256=abc".to_owned(), "abc", vec![], 422, "64 digits"),
        ("wrong".to_owned(), "abc", vec![("content-digest", "sha-256=abc")], 422, "base64"),
        (format!("wrong?sha256={}", "0".repeat(64)), "abc", vec![("content-digest", right.as_str())], 422, "another"),
        ("a/b".to_owned(), "other", vec![], 409, "there already with other content"),
        ("a".to_owned(), "abc", vec![], 409, "a file and a directory"),
        ("a/b/c".to_owned(), "abc", vec![], 409, "a file and a directory"),
        (long, "abc", vec![], 422, "255 bytes"),
        ("1/2/3/4/5/6/7/8/9".to_owned(), "abc", vec![], 422, "8 names"),
        ("../../../../x".to_owned(), "abc", vec![], 400, ". or .."),
        ("%2e%2e/x".to_owned(), "abc", vec![], 400, ". or .."),
        ("%2E%2E%2Fx".to_owned(), "abc", vec![], 400, "encoded slash"),
        ("..%5cx".to_owned(), "abc", vec![], 400, "backslash"),
        ("a//b".to_owned(), "abc", vec![], 400, "empty part"),
        ("x%00y".to_owned(), "abc", vec![], 400, "control character"),
        ("x%E2%80%AEy".to_owned(), "abc", vec![], 422, "control characters"),
    ] {
        let answer = put(&appliance, &worker, &file(&path), body, &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        assert!(answer.body.contains(says), "{path}: {}", answer.body);
    }
    for (path, status) in [(files("v9"), 404), (files("v1").replace("btcusdt", "ethusdt"), 404), (files(".."), 400)] {
        let answer = put(&appliance, &worker, &format!("{path}/m"), "abc", &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
    }
    // Nothing but the one file is there, also on the disk.
    let manifest = appliance.get(&appliance.token(Grant::Role(Role::Viewer), "v"), &files("v1")).await.json();
    assert_eq!(manifest["files"].as_array().unwrap().len(), 1, "{manifest}");
    let root = appliance.app.store.path().parent().unwrap().join("artifacts");
    assert_eq!(std::fs::read_dir(root.join("incoming")).unwrap().count(), 0);
    assert_eq!(walk(&root.join("sha256")), 1);
    // What was announced rightly is taken.
    let answer =
        put(&appliance, &worker, &file(&format!("c?sha256={ABC}")), "abc", &[("content-digest", &right)]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

#[tokio::test]
async fn who_left_training_takes_no_more_files() {
    let (appliance, worker) = appliance();
    assert_eq!(put(&appliance, &worker, &file("m"), "abc", &[]).await.status, StatusCode::CREATED);
    let why = "the gates are looked at by a person this time";
    appliance.app.registry.promote(&by_admin(), &model(), &"v1".parse().unwrap(), why, true).unwrap();
    let answer = put(&appliance, &worker, &file("n"), "abc", &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.detail().contains("left training") && answer.detail().contains("register a new version"),
        "{answer:?}"
    );
    // An answer that was lost is given again.
    assert_eq!(put(&appliance, &worker, &file("m"), "abc", &[]).await.status, StatusCode::OK);
    register(&appliance.app.registry, "v2");
    appliance.app.registry.advance(&by_admin(), &model(), &"v2".parse().unwrap(), ModelStatus::Failed, "no").unwrap();
    let answer = put(&appliance, &worker, &format!("{}/m", files("v2")), "abc", &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
}

#[tokio::test]
async fn a_form_of_another_page_uploads_nothing() {
    let (appliance, _) = appliance();
    appliance.add_user(Role::Operator);
    let session = appliance.session(Role::Operator);
    assert_eq!(put(&appliance, &session, &file("m"), "abc", &[]).await.status, StatusCode::CREATED);
    let As::Session { cookie, csrf } = &session else { unreachable!() };
    let without = As::Session { cookie: cookie.clone(), csrf: "wrong".into() };
    assert_eq!(put(&appliance, &without, &file("n"), "abc", &[]).await.status, StatusCode::FORBIDDEN);
    // In the body it does not count: that is not read before.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = put(&appliance, &without, &file("n"), &format!("csrf={csrf}"), &form).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example")];
    assert_eq!(put(&appliance, &session, &file("n"), "abc", &foreign).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn in_place_and_read_again() {
    let home = tempfile::tempdir().unwrap();
    let appliance = Appliance::configured(|config| config.artifacts.in_place = vec![home.path().to_owned()]);
    register(&appliance.app.registry, "v1");
    let admin = appliance.token(Grant::Role(Role::Admin), "admin");
    let operator = appliance.token(Grant::Role(Role::Operator), "operator");
    std::fs::write(home.path().join("model"), "abc").unwrap();
    std::fs::write(home.path().join("outside"), "abc").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", home.path().join("link")).unwrap();
    let register = async |body: &Value| appliance.send(&admin, Method::POST, &files("v1"), body).await;
    let body = |path: &str, sha256: Option<&str>| json!({ "in_place": home.path(), "files": [{ "path": path, "sha256": sha256 }] });
    for (sent, status, says) in [
        (body("link", None), 400, "symbolic link"),
        (body("../outside", None), 422, ".."),
        (body("/etc/passwd", None), 422, "relative"),
        (body("nothing", None), 400, "no such file"),
        (body("model", Some(&"0".repeat(64))), 400, "not 0000"),
        (json!({ "in_place": "/usr", "files": [{ "path": "m" }] }), 400, "artifacts.in_place"),
        (json!({ "in_place": "models", "files": [{ "path": "m" }] }), 400, "whole path"),
        (json!({ "in_place": home.path(), "files": [] }), 400, "at least one"),
    ] {
        let answer = register(&sent).await;
        assert_eq!(answer.status.as_u16(), status, "{sent}: {}", answer.body);
        assert!(answer.body.contains(says), "{sent}: {}", answer.body);
    }
    let answer = register(&body("model", Some(ABC))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let real = home.path().canonicalize().unwrap();
    assert_eq!(answer.json()["in_place"], real.to_str().unwrap());
    assert_eq!(register(&body("model", None)).await.status, StatusCode::OK, "the same again");
    assert_eq!(register(&body("outside", None)).await.status, StatusCode::CONFLICT);
    assert_eq!(put(&appliance, &operator, &file("m"), "abc", &[]).await.status, StatusCode::CONFLICT);
    assert_eq!(appliance.get(&operator, &file("model")).await.body, "abc");

    let verify = async || {
        let path = format!("/api/models/{MODEL}/versions/v1/verify");
        appliance.send(&operator, Method::POST, &path, &Value::Null).await.json()
    };
    assert_eq!(verify().await["sound"], true);
    std::fs::write(home.path().join("model"), "abd").unwrap();
    let found = verify().await;
    assert_eq!((&found["sound"], &found["files"][0]["state"]), (&json!(false), &json!("damaged")), "{found}");
    let why = "the gates are looked at by a person this time";
    let promoted = appliance.app.registry.promote(&by_admin(), &model(), &"v1".parse().unwrap(), why, true);
    let refused = promoted.unwrap_err().to_string();
    assert!(refused.contains("cannot go into production: model: it has 3 bytes with the SHA-256"), "{refused}");
    std::fs::remove_file(home.path().join("model")).unwrap();
    assert_eq!(verify().await["files"][0]["state"], "missing");
    let log = appliance.log();
    let said: Vec<_> = log.iter().filter(|row| row.action == "model.verify").map(|row| row.why.as_str()).collect();
    assert_eq!(said, ["1 files, each as it was", "model is damaged", "model is missing"]);
    assert_eq!(appliance.get(&operator, &file("model")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(appliance.get(&operator, &file("other")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_caller_does_not_have_all_places() {
    let (appliance, worker) = appliance();
    let files = &appliance.app.files;
    let held: Vec<_> = (0..8).map(|_| files.upload_place("trainer").unwrap()).collect();
    let name = files.upload_place("trainer").err().map(|error| error.to_string());
    assert_eq!(name.as_deref(), Some("too many uploads of one caller at once"));
    let other = files.upload_place("other");
    assert!(other.is_ok(), "another caller has places of their own");
    drop(held);
    assert_eq!(put(&appliance, &worker, &file("m"), "abc", &[]).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn content_goes_with_the_last_version_that_has_it_and_the_pointer_follows() {
    let (appliance, worker) = appliance();
    let registry = &appliance.app.registry;
    for version in ["v2", "v3"] {
        register(registry, version);
    }
    for version in ["v1", "v2", "v3"] {
        let answer = put(&appliance, &worker, &format!("{}/m", files(version)), "abc", &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let own = put(&appliance, &worker, &format!("{}/own", files(version)), version, &[]).await;
        assert_eq!(own.status, StatusCode::CREATED);
    }
    let home = appliance.app.store.path().parent().unwrap().to_owned();
    let own = |path: &str| std::fs::read_to_string(home.join("production").join(MODEL).join(path)).ok();
    let (one, two) = ("v1".parse().unwrap(), "v2".parse().unwrap());
    let why = "the gates are looked at by a person this time";
    registry.promote(&by_admin(), &model(), &one, why, true).unwrap();
    assert_eq!((own("own").as_deref(), own("m").as_deref()), (Some("v1"), Some("abc")));
    registry.promote(&by_admin(), &model(), &two, why, true).unwrap();
    assert_eq!(own("own").as_deref(), Some("v2"));
    registry.roll_back(&by_admin(), &model(), &Target::Before, "worse").unwrap();
    assert_eq!(own("own").as_deref(), Some("v1"));

    let content = || walk(&home.join("artifacts/sha256"));
    assert_eq!(content(), 4);
    registry.delete(&by_admin(), &model(), &"v3".parse().unwrap(), "not needed").unwrap();
    assert_eq!(content(), 3, "what v3 had for itself is gone, what it shared is not");
    assert!(home.join("artifacts/versions").join(MODEL).join("v2").exists());
    registry.delete(&by_admin(), &model(), &two, "not needed").unwrap();
    assert_eq!(content(), 2);
    assert!(!home.join("artifacts/versions").join(MODEL).join("v2").exists());
    assert_eq!((own("own").as_deref(), own("m").as_deref()), (Some("v1"), Some("abc")));
    let viewer = appliance.token(Grant::Role(Role::Viewer), "viewer");
    assert_ne!(appliance.get(&viewer, &format!("{}/m", files("v2"))).await.status, StatusCode::OK);
}

fn walk(directory: &std::path::Path) -> usize {
    let shelves = std::fs::read_dir(directory).unwrap();
    shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
}
