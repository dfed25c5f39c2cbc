//! Whoever writes a log line, or calls the API, fills fields that others read in a browser. All of it is text there.

use serde_json::json;

use super::scene::{PASSWORD, RISK, Scene};
use super::web::{Request, send};
use crate::support::browser::Browser;
use crate::support::journal::Line;

/// Runs if any page takes it for HTML: leaves elements and a variable behind, and asks for things that are not there.
const HOSTILE: &str =
    "<script>window.hostile=1</script><img src=/hostile onerror=hostile=1>\"'><b class=hostile>&lt;&amp;${7*7}{{7*7}}";

/// What [`HOSTILE`] says when it is read as text.
const READ: &str = "<b class=hostile>&lt;&amp;${7*7}{{7*7}}";

async fn harmless(browser: &Browser, path: &str, shown: bool) {
    browser.goto(path).await;
    let left = browser
        .ask("return [window.hostile ?? null, document.querySelectorAll('.hostile, main script, main img').length]")
        .await;
    assert_eq!(left, json!([null, 0]), "{path} takes text for HTML");
    let text = browser.text().await;
    assert_eq!(text.contains(READ), shown, "{path} shows: {text}");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{path}: {complaints:#?}");
}

#[tokio::test]
async fn what_lines_and_callers_write_is_text_on_every_page() {
    let mut scene = Scene::new();
    let before = scene.daemon.events().unwrap();
    let envelope = json!({"level": "ERROR", "service": HOSTILE, "correlation_id": HOSTILE, "msg": HOSTILE}).to_string();
    scene.journal.clock = quantum_clm::observe::now().0;
    scene.journal.append([
        Line::new(RISK, HOSTILE),
        Line::new(RISK, HOSTILE).set("_HOSTNAME", HOSTILE),
        Line::new(RISK, &envelope),
    ]);
    scene.daemon.wait_events(before + 3);
    // The browser names itself so, and so do a program's events.
    let token = scene.token("feeder", "publish");
    let event = json!({"unit": HOSTILE, "source": HOSTILE, "host": HOSTILE, "level": "error", "message": HOSTILE,
        "symbol": HOSTILE, "correlation_id": HOSTILE, "fields": {HOSTILE: HOSTILE}});
    let answer = send(scene.daemon.tcp(), &Request::post("/api/events", &event.to_string()).bearer(&token));
    assert_eq!(answer.status, 202, "{answer:?}");
    let ids = answer.json()["ids"].clone();
    let form = [("name", "otto"), ("password", PASSWORD)];
    let signed = send(scene.daemon.tcp(), &Request::form("/sign-in", &form).header("user-agent", HOSTILE));
    assert_eq!(signed.status, 303, "{signed:?}");
    let refused = [("name", HOSTILE), ("password", HOSTILE)];
    let refused = send(scene.daemon.tcp(), &Request::form("/sign-in", &refused).header("user-agent", HOSTILE));
    assert_eq!(refused.status, 401, "{refused:?}");
    let (status, answer) = scene.daemon.ask("POST", "/api/intents/1/ack", &json!({"why": HOSTILE}));
    assert_eq!(status, 200, "{answer}");

    let browser = scene.browser("anna").await;
    let encoded = serde_urlencoded::to_string([("q", HOSTILE)]).unwrap();
    let segment = encoded.strip_prefix("q=").unwrap().replace('+', "%20");
    let id = ids[0].as_str().unwrap();
    for path in
        ["/events", &format!("/events/{id}"), &format!("/correlations/{segment}"), "/intents/1", "/sessions", "/audit"]
    {
        harmless(&browser, path, true).await;
    }
    for path in [
        "/",
        "/trade-path",
        "/intents",
        "/users",
        "/tokens",
        &format!("/events?grep={segment}&unit={segment}&symbol={segment}&level=error"),
        &format!("/audit?by={segment}&action={segment}&subject={segment}"),
        &format!("/sign-in?next={segment}"),
        &format!("/trade-path?source={segment}"),
    ] {
        browser.goto(path).await;
        let shown = browser.text().await.contains(READ);
        harmless(&browser, path, shown).await;
    }
    browser.close().await;
}
