use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use quantum_clm::domain::access::Grant;
use quantum_clm::domain::id::TokenId;
use quantum_clm::http::peer::{Caller, Credential, Peer, Role};
use tower::ServiceExt;

use super::*;

fn table() -> Vec<Route<State>> {
    let mut table = open::routes();
    for (least, paths) in [
        (Role::Open, ["/t/open", "/t/open/{id}"]),
        (Role::Viewer, ["/t/viewer", "/t/viewer/{id}"]),
        (Role::Operator, ["/t/operator", "/t/operator/{id}"]),
        (Role::Admin, ["/t/admin", "/t/admin/{id}"]),
    ] {
        table.push(Route::get(paths[0], least, || async {}));
        table.push(Route::post(paths[0], least, || async {}));
        table.push(Route::put(paths[1], least, || async {}));
        table.push(Route::delete(paths[1], least, || async {}));
    }
    table
}

/// A name for the message, what the request carries, and what that is worth.
type Asker = (&'static str, Option<Peer>, Option<Caller>, Role, bool);

/// Who is known without users and tokens; `access.rs` has the rest. Nothing that was said before the door counts.
fn callers() -> Vec<Asker> {
    let claim = Some(Caller {
        name: "somebody".to_owned(),
        grant: Grant::Role(Role::Admin),
        credential: Credential::Token(TokenId(1)),
    });
    let tcp = Some(Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 9))));
    let unix = |uid| Some(Peer::Unix { uid, gid: 4_000_000_000, pid: None });
    vec![
        ("nothing", None, None, Role::Open, false),
        ("tcp", tcp, None, Role::Open, false),
        ("a user of this machine", unix(4_000_000_000), None, Role::Open, true),
        ("root", unix(0), None, Role::Admin, true),
        ("who was let in further out", tcp, claim, Role::Open, false),
    ]
}

#[tokio::test]
async fn a_table_with_every_caller_that_the_connection_tells() {
    let app = router(table(), state(), door(), Times::default());
    let mut walked = 0;
    for route in table() {
        for (who, peer, caller, role, known) in callers() {
            let path = route.path().replace("{id}", "7");
            let mut request =
                Request::builder().method(route.method()).uri(&path).header("host", "x").body(Body::empty()).unwrap();
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            let expected = match (role >= route.least(), known) {
                (true, _) => StatusCode::OK,
                (false, true) => StatusCode::FORBIDDEN,
                (false, false) => StatusCode::UNAUTHORIZED,
            };
            let answer = app.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), expected, "{} {path} by {who} as {role:?}", route.method());
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            walked += 1;
        }
    }
    assert_eq!(walked, 18 * 5);
}

#[tokio::test]
async fn a_stranger_cannot_make_the_server_read() {
    let route = Route::post("/x", Role::Viewer, || async {});
    let app = router(vec![route], state(), door(), Times::default());
    // A body that is never there: only an answer without reading it comes back.
    let (_sender, receiver) = tokio::sync::mpsc::channel(1);
    let body = quantum_clm::http::stream::lines(receiver).into_body();
    let request = Request::builder().method(Method::POST).uri("/x").header("host", "x").body(body).unwrap();
    assert_eq!(within(app.oneshot(request)).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
