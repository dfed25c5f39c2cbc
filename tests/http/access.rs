//! Every route with every role, both scopes and none.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode, header};
use quantum_clm::domain::access::{Grant, Scope};
use quantum_clm::domain::role::Role;
use quantum_clm::http::api;
use quantum_clm::http::routes::Kind;

use crate::support::app::{Answer, Appliance, As};

/// A number that nothing has, and that is no user's name either: what varies in a path.
const NOTHING: &str = "4000000000";

fn filled(path: &str) -> String {
    let parts: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { NOTHING } else { part }).collect();
    parts.join("/")
}

fn is_refused_as(answer: &Answer, known: bool, kind: Kind, method: &Method) -> Result<(), String> {
    let to_sign_in = || {
        let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        answer.status == StatusCode::SEE_OTHER && to.starts_with("/sign-in?next=")
    };
    let fits = match (known, kind) {
        (true, _) => answer.status == StatusCode::FORBIDDEN,
        (false, Kind::Page) if method == Method::GET => to_sign_in(),
        (false, _) => answer.status == StatusCode::UNAUTHORIZED,
    };
    if fits { Ok(()) } else { Err(format!("answered {} instead of refusing", answer.status)) }
}

fn is_let_in(answer: &Answer, least: Role) -> Result<(), String> {
    let status = answer.status;
    // Where somebody signs in, a wrong password is refused with these too.
    let turned_away = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && least != Role::Open;
    let to_sign_in = answer
        .headers
        .get(header::LOCATION)
        .is_some_and(|to| least != Role::Open && to.as_bytes().starts_with(b"/sign-in?next="));
    // 503 comes from the handler, which misses the Redis that this machine need not have.
    let failed = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
    if turned_away || to_sign_in || failed {
        return Err(format!("answered {status} instead of letting in: {}", answer.body));
    }
    Ok(())
}

#[tokio::test]
async fn every_route_with_every_role_both_scopes_and_none() {
    let appliance = Appliance::new();
    Role::GIVEN.into_iter().for_each(|role| appliance.add_user(role));
    let mut callers = vec![
        ("nobody".to_owned(), Grant::NONE, As::Nobody),
        ("root at the socket".to_owned(), Grant::Role(Role::Admin), As::Socket { uid: 0 }),
        ("a stranger at the socket".to_owned(), Grant::NONE, As::Socket { uid: 70_001 }),
    ];
    for grant in Grant::GIVEN {
        callers.push((format!("a token for {grant}"), grant, appliance.token(grant, "walk")));
    }
    for role in Role::GIVEN {
        callers.push((format!("the {} signed in", role.as_str()), Grant::Role(role), appliance.session(role)));
    }
    let mut wrong = Vec::new();
    let routes = api::routes();
    for route in &routes {
        let (method, path) = (route.method(), filled(route.path()));
        for (who, grant, credential) in &mut callers {
            // The walk itself signs out.
            if let As::Session { cookie, .. } = credential
                && appliance.app.accounts.session(cookie).unwrap().is_none()
            {
                *credential = appliance.session(grant.role());
            }
            let answer = appliance.ask(credential, method.clone(), &path, "{}", &[]).await;
            let known = !matches!(credential, As::Nobody);
            let judged = if grant.allows(route.least(), route.scope()) {
                is_let_in(&answer, route.least())
            } else {
                is_refused_as(&answer, known, route.kind(), method)
            };
            if let Err(why) = judged {
                wrong.push(format!("{method} {} asked by {who}: {why}", route.path()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(routes.len() >= 25, "the table is not the product's: {} routes", routes.len());
    assert!(appliance.app.accounts.verify_audit().unwrap().whole);
}

#[tokio::test]
async fn what_is_not_in_the_table_is_refused_to_everybody() {
    let appliance = Appliance::new();
    let admin = appliance.token(Grant::Role(Role::Admin), "walk");
    let routes = api::routes();
    let paths: BTreeSet<_> = routes.iter().map(|route| route.path()).collect();
    let mut wrong = Vec::new();
    for path in paths {
        let mut there: BTreeSet<_> =
            routes.iter().filter(|route| route.path() == path).map(|route| route.method().as_str()).collect();
        if there.contains("GET") {
            there.insert("HEAD");
        }
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            if !there.contains(method) {
                let answer = appliance.ask(&admin, method.parse().unwrap(), &filled(path), "", &[]).await;
                if answer.status != StatusCode::METHOD_NOT_ALLOWED {
                    wrong.push(format!("{method} {path}: {}", answer.status));
                }
            }
        }
        if path.contains("{*") {
            // Whatever is below is a path of its own.
            continue;
        }
        let below = format!("{}/no/such/thing", filled(path).trim_end_matches('/'));
        let answer = appliance.get(&admin, &below).await;
        if answer.status != StatusCode::NOT_FOUND {
            wrong.push(format!("GET {below}: {}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table itself, where a slip would open something to a machine or to somebody who only looks.
#[test]
fn scopes_open_their_own_work_and_accounts_are_for_admins() {
    for route in api::routes() {
        let name = format!("{} {}", route.method(), route.path());
        match route.scope() {
            None => {}
            Some(Scope::Publish) => assert_eq!(name, "POST /api/events", "is open to `publish`"),
            Some(Scope::Worker) => {
                let its_own = ["/api/models/{id}/", "/api/work/"].iter().any(|root| route.path().starts_with(root));
                assert!(its_own, "{name} is open to `worker`");
            }
        }
        let root = route.path().trim_start_matches("/api").split('/').nth(1).unwrap_or_default();
        if matches!(root, "users" | "tokens" | "audit") {
            assert_eq!(route.least(), Role::Admin, "{name}");
        }
    }
}
