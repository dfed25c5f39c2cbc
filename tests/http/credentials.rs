//! Wrong credentials, too many of them, forms of somebody else's, and what the audit log says of all that.

use axum::http::{Method, StatusCode};
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::account::SecretText;
use quantum_clm::domain::audit::Outcome;
use quantum_clm::domain::role::Role;
use serde_json::json;

use crate::support::app::{Appliance, As, PASSWORD, root};

type Headers<'a> = &'a [(&'a str, &'a str)];

const VIEWER: Grant = Grant::Role(Role::Viewer);

fn appliance() -> Appliance {
    let appliance = Appliance::new();
    Role::GIVEN.into_iter().for_each(|role| appliance.add_user(role));
    appliance
}

fn text(who: &As) -> &str {
    match who {
        As::Token(text) => text,
        As::Session { cookie, .. } => cookie,
        _ => "",
    }
}

#[tokio::test]
async fn everybody_is_told_who_they_are() {
    let appliance = appliance();
    let session = appliance.session(Role::Operator);
    let me = appliance.get(&session, "/api/me").await.json();
    assert_eq!(
        (&me["name"], &me["grant"], &me["credential"]),
        (&json!("operator"), &json!("operator"), &json!("session"))
    );
    assert!(matches!(&session, As::Session { csrf, .. } if me["csrf"] == **csrf), "{me}");
    let token = appliance.token(VIEWER, "x");
    let me = appliance.get(&token, "/api/me").await.json();
    assert_eq!(
        (&me["name"], &me["grant"], &me["credential"]),
        (&json!("token:viewer x"), &json!("viewer"), &json!("token"))
    );
    let me = appliance.get(&As::Socket { uid: 0 }, "/api/me").await.json();
    assert_eq!(me, json!({"name": "uid:0", "grant": "admin", "credential": "socket"}));
    // Over the socket a token says more than the process does.
    let more = [("authorization", format!("Bearer {}", text(&token)))];
    let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let me = appliance.ask(&As::Socket { uid: 0 }, Method::GET, "/api/me", "", &more).await.json();
    assert_eq!(me["name"], "token:viewer x");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_none_is_taken_for_another() {
    let appliance = appliance();
    let (session, token) = (appliance.session(Role::Viewer), appliance.token(VIEWER, "x"));
    let revoked = appliance.token(VIEWER, "revoked");
    let id = appliance.app.accounts.tokens().unwrap().tokens[1].id;
    appliance.app.accounts.revoke_token(&root(), id).unwrap();
    let (cookie, bearer) = (format!("__Host-quantum-clm={}", text(&session)), format!("Bearer {}", text(&token)));
    let unknown = SecretText::of([5; 32]);
    let strings = [
        format!("Bearer {}", text(&revoked)),
        format!("Bearer qclm_{}", unknown.expose()),
        format!("Bearer {}", text(&session)),
        format!("Bearer {PASSWORD}"),
        format!("bearer {}", text(&token)),
        format!("__Host-quantum-clm={}", unknown.expose()),
        format!("__Host-quantum-clm={}", text(&token)),
        format!("{cookie}; {cookie}"),
    ];
    let [revoked, unknown_bearer, session_bearer, password, lower, unknown_cookie, token_cookie, twice] = &strings;
    let table: [(&str, Headers<'_>, u16); 18] = [
        ("a session", &[("cookie", &cookie)], 200),
        ("a token", &[("authorization", &bearer)], 200),
        ("the scheme in other letters", &[("authorization", lower)], 200),
        ("a revoked token", &[("authorization", revoked)], 401),
        ("an unknown token", &[("authorization", unknown_bearer)], 401),
        ("a session's secret as a token", &[("authorization", session_bearer)], 401),
        ("a password as a token", &[("authorization", password)], 401),
        ("no token at all", &[("authorization", "Bearer")], 401),
        ("an empty token", &[("authorization", "Bearer ")], 401),
        ("another scheme", &[("authorization", "Basic YTpi")], 401),
        ("an empty header", &[("authorization", "")], 401),
        ("two tokens", &[("authorization", &bearer), ("authorization", &bearer)], 400),
        ("a token and a session", &[("authorization", &bearer), ("cookie", &cookie)], 400),
        ("a token and an unknown session", &[("authorization", &bearer), ("cookie", unknown_cookie)], 400),
        ("two sessions", &[("cookie", twice)], 400),
        ("two headers of sessions", &[("cookie", &cookie), ("cookie", &cookie)], 400),
        ("an unknown session", &[("cookie", unknown_cookie)], 401),
        ("a token as a session", &[("cookie", token_cookie)], 401),
    ];
    for (what, headers, expected) in table {
        let answer = appliance.ask(&As::Nobody, Method::GET, "/api/me", "", headers).await;
        assert_eq!(answer.status.as_u16(), expected, "{what}: {answer:?}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), expected == 401, "{what}");
        // What is open to everybody does not look at credentials.
        let answer = appliance.ask(&As::Nobody, Method::GET, "/health", "", headers).await;
        assert_eq!(answer.status.as_u16(), 200, "{what}: {answer:?}");
    }
    let log = appliance.log();
    let refused: Vec<_> = log.iter().filter(|row| row.outcome == Outcome::Refused).collect();
    assert_eq!(refused.iter().map(|row| row.times).sum::<u64>(), 15, "{refused:#?}");
    let all = serde_json::to_string(&log).unwrap();
    for secret in [text(&session), text(&token), &strings[0][7..], unknown.expose(), PASSWORD] {
        assert!(!all.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn refused_attempts_are_in_the_audit_log() {
    let appliance = appliance();
    let (session, machine) = (appliance.session(Role::Viewer), appliance.token(Grant::Scope(Scope::Publish), "feed"));
    let before = appliance.log().len();
    appliance.get(&As::Nobody, "/api/users").await;
    appliance.get(&session, "/api/users").await;
    appliance.get(&machine, "/api/audit").await;
    appliance.send(&As::Socket { uid: 70_001 }, Method::POST, "/api/users", &json!({})).await;
    let As::Session { cookie, .. } = &session else { panic!("no session") };
    let forged = As::Session { cookie: cookie.clone(), csrf: "0".repeat(64) };
    appliance.send(&forged, Method::PUT, "/api/me/password", &json!({})).await;
    let mut told: Vec<_> = appliance.log()[before..]
        .iter()
        .map(|row| format!("{} {} {} {} {}: {}", row.by, row.address, row.action, row.subject, row.times, row.why))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "anonymous 192.0.2.7 access.credential GET /api/users 1: no credential",
            // Two of one address and kind share a record.
            "several 192.0.2.7 access.role several 2: several",
            "uid:70001 socket access.role POST /api/users 1: open is not enough",
            "viewer 192.0.2.7 access.csrf PUT /api/me/password 1: the form's token is missing or not this session's",
        ]
    );
}

#[tokio::test]
async fn a_form_without_its_token_does_nothing() {
    let appliance = appliance();
    let (admin, other) = (appliance.session(Role::Admin), appliance.session(Role::Admin));
    let (As::Session { cookie, csrf }, As::Session { csrf: foreign, .. }) = (&admin, &other) else { panic!() };
    let upper = csrf.to_uppercase();
    let cookie = format!("__Host-quantum-clm={cookie}");
    let body = json!({"name": "eve", "role": "admin", "password": PASSWORD}).to_string();
    let form = format!("csrf={csrf}");
    let table: [(&str, Headers<'_>, &str); 6] = [
        ("none", &[], &body),
        ("another session's", &[("x-csrf-token", foreign)], &body),
        ("in other letters", &[("x-csrf-token", &upper)], &body),
        ("in the query", &[], &body),
        ("in a body that is no form", &[], &form),
        ("twice", &[("x-csrf-token", csrf), ("x-csrf-token", csrf)], &body),
    ];
    for (what, headers, body) in table {
        let ours = [("cookie", cookie.as_str()), ("origin", "http://127.0.0.1:8000")];
        let headers: Vec<_> = headers.iter().copied().chain(ours).collect();
        let path = if what == "in the query" { format!("/api/users?csrf={csrf}") } else { "/api/users".to_owned() };
        let answer = appliance.ask(&As::Nobody, Method::POST, &path, body, &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {answer:?}");
        assert!(answer.detail().contains("not of your session"), "{what}: {answer:?}");
    }
    assert_eq!(appliance.app.accounts.users().unwrap().users.len(), 3, "a user was added");
    // The same again with what belongs to it; and no longer once the session has ended.
    let add = |name: &str| json!({"name": name, "role": "viewer", "password": PASSWORD});
    assert_eq!(appliance.send(&admin, Method::POST, "/api/users", &add("eve")).await.status, StatusCode::CREATED);
    appliance.app.accounts.revoke_all(&root(), &"admin".parse().unwrap()).unwrap();
    let answer = appliance.send(&admin, Method::POST, "/api/users", &add("mallory")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a replay: {answer:?}");
}

#[tokio::test]
async fn users_by_the_api() {
    let appliance = Appliance::new();
    let root = As::Socket { uid: 0 };
    let new = |name: &str, role: &str, password: &str| json!({"name": name, "role": role, "password": password});
    for (body, status) in [
        (new("ada", "admin", PASSWORD), 201),
        (new("ada", "admin", PASSWORD), 409),
        (new("Ada", "admin", PASSWORD), 422),
        (new("eva", "open", PASSWORD), 422),
        (new("eva", "boss", PASSWORD), 422),
        (new("eva", "viewer", "short"), 422),
        (json!({"name": "eva"}), 422),
        (new("otto", "operator", PASSWORD), 201),
    ] {
        let answer = appliance.send(&root, Method::POST, "/api/users", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
        assert!(!answer.body.contains("argon2"), "{answer:?}");
    }
    for (method, path, body, status) in [
        (Method::PUT, "/api/users/otto/role", json!({"role": "viewer"}), 200),
        (Method::PUT, "/api/users/ada/role", json!({"role": "viewer"}), 409),
        (Method::PUT, "/api/users/otto/disabled", json!({"disabled": true}), 200),
        (Method::PUT, "/api/users/ada/disabled", json!({"disabled": true}), 409),
        (Method::DELETE, "/api/users/ada", json!({}), 409),
        (Method::PUT, "/api/users/otto/password", json!({"password": "another password"}), 200),
        (Method::PUT, "/api/users/otto/password", json!({"password": "otto"}), 422),
        (Method::PUT, "/api/users/nobody/role", json!({"role": "viewer"}), 404),
        (Method::DELETE, "/api/users/otto/sessions", json!({}), 200),
        (Method::DELETE, "/api/users/otto", json!({}), 200),
        (Method::DELETE, "/api/users/otto", json!({}), 404),
    ] {
        let answer = appliance.send(&root, method.clone(), path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
    }
    let users = appliance.get(&root, "/api/users").await.json();
    assert_eq!((users["users"].as_array().unwrap().len(), users["users"][0]["name"].as_str()), (1, Some("ada")));
}

#[tokio::test]
async fn tokens_by_the_api() {
    let appliance = Appliance::new();
    let admin = appliance.token(Grant::Role(Role::Admin), "maker");
    let new =
        |name: &str, grant: &str, days: Option<u32>| json!({"name": name, "grant": grant, "expires_in_days": days});
    for (body, status) in [
        (new("feed", "publish", None), 201),
        (new("feed", "publish", None), 409),
        (new("<b>", "publish", None), 422),
        (new("x", "open", None), 422),
        (new("x", "viewer", Some(0)), 422),
        (new("x", "viewer", Some(366)), 422),
        (new("gpu 1", "worker", Some(365)), 201),
    ] {
        let answer = appliance.send(&admin, Method::POST, "/api/tokens", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
        if status == 201 {
            let (text, prefix) = (answer.json()["text"].take(), answer.json()["prefix"].take());
            assert!(text.as_str().unwrap().starts_with(prefix.as_str().unwrap()), "{answer:?}");
            let list = appliance.get(&admin, "/api/tokens").await.body;
            assert!(!list.contains(text.as_str().unwrap()) && list.contains(prefix.as_str().unwrap()), "{list}");
        }
    }
    let list = appliance.get(&admin, "/api/tokens").await.json();
    assert_eq!(list["tokens"][0]["last_address"], "192.0.2.7", "{list}");
    assert_eq!(list["tokens"][1]["created_by"], "token:admin maker", "{list}");
    let answer = appliance.send(&admin, Method::DELETE, "/api/tokens/2", &json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.json()["name"].as_str()), (200, Some("feed")));
    assert_eq!(appliance.send(&admin, Method::DELETE, "/api/tokens/2", &json!({})).await.status.as_u16(), 404);
}

#[tokio::test]
async fn users_see_and_end_their_own_sessions_and_admins_all() {
    let appliance = appliance();
    let (admin, viewer, again) =
        (appliance.session(Role::Admin), appliance.session(Role::Viewer), appliance.session(Role::Viewer));
    let ids = async |who: &As| -> Vec<u64> {
        let list = appliance.get(who, "/api/sessions").await.json();
        list["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&admin).await, [1, 2, 3]);
    assert_eq!(ids(&viewer).await, [2, 3]);
    // A token is nobody's session, whatever it is called.
    assert_eq!(ids(&appliance.token(VIEWER, "x")).await, Vec::<u64>::new());
    let end = async |who: &As, id: u64| {
        appliance.send(who, Method::DELETE, &format!("/api/sessions/{id}"), &json!({})).await.status.as_u16()
    };
    assert_eq!(end(&viewer, 1).await, 404, "an admin's");
    assert_eq!(end(&appliance.token(VIEWER, "y"), 2).await, 404);
    assert_eq!(end(&viewer, 3).await, 200);
    assert_eq!(appliance.get(&again, "/api/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(end(&admin, 2).await, 200);
    assert_eq!(appliance.get(&viewer, "/api/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ids(&admin).await, [1]);
}

#[tokio::test]
async fn a_password_is_changed_by_who_is_signed_in_and_guessing_it_is_slowed_down() {
    let appliance = appliance();
    let session = appliance.session(Role::Viewer);
    let change = async |who: &As, present: &str| {
        let body = json!({"present": present, "password": "another password"});
        appliance.send(who, Method::PUT, "/api/me/password", &body).await
    };
    assert_eq!(change(&appliance.token(VIEWER, "x"), PASSWORD).await.status, StatusCode::BAD_REQUEST);
    // A slow machine may wait out the first waits by itself; they double, so before long it cannot.
    let mut answer = change(&session, "wrong").await;
    for tries in 1.. {
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(tries > 5, "five are free, not {tries}");
            break;
        }
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
        answer = change(&session, "wrong").await;
    }
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    assert!(answer.detail().contains(&format!("wait {seconds} s")), "{answer:?}");
    assert_eq!(appliance.get(&session, "/api/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_audit_log_by_the_api() {
    let appliance = appliance();
    let admin = appliance.session(Role::Admin);
    let page = appliance.get(&admin, "/api/audit?limit=2").await.json();
    let (records, next) = (page["records"].as_array().unwrap(), page["next"].as_str().unwrap());
    assert_eq!((records.len(), records[0]["action"].as_str()), (2, Some("sign-in")), "{page}");
    let page = appliance.get(&admin, &format!("/api/audit?limit=9&cursor={next}")).await.json();
    assert_eq!((page["records"][0]["seq"].as_u64(), page["next"].as_str()), (Some(2), None), "{page}");
    let page = appliance.get(&admin, "/api/audit?action=user.&by=root&outcome=done").await.json();
    assert_eq!(page["records"].as_array().unwrap().len(), 3, "{page}");
    for bad in ["cursor=x", "limit=x", "outcome=x", "colour=red"] {
        assert_eq!(appliance.get(&admin, &format!("/api/audit?{bad}")).await.status.as_u16(), 422, "{bad}");
    }
    let verified = appliance.get(&admin, "/api/audit/verify").await.json();
    assert_eq!(
        (&verified["whole"], &verified["records"], &verified["broken"]),
        (&json!(true), &json!(4), &json!(null))
    );
    assert_eq!(verified["head"].as_str().map(str::len), Some(64));
}
