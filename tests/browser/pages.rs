//! Every page in every light: what it looks like, and whether everybody can read and use it.

use super::scene::{MODEL, PASSWORD, PATH, Scene, sign_in, version};
use super::web::{Request, send};
use crate::support::browser::{Browser, View};

/// The pages of a running product, as an admin sees them, by the name of their pictures.
async fn pages(browser: &Browser) -> Vec<(&'static str, String)> {
    browser.goto("/events").await;
    let event = browser.find("main a[href^='/events/']").await.attr("href").await.unwrap().unwrap();
    let candidate = version(browser, MODEL, "candidate").await;
    let failing = version(browser, MODEL, "training").await;
    let forced = version(browser, "nhits_ethusdt_4h", "production").await;
    let pair = |path: &str| path.trim_start_matches("/models/").replacen("/versions/", "%2F", 1);
    let compare = format!("/models/compare?v={}&v={}", pair(&candidate), pair(&failing));
    [
        ("health", "/"),
        ("events", "/events"),
        ("events-filtered", "/events?level=error&unit=quantum-risk-brain.service"),
        ("events-none", "/events?symbol=NOTHING"),
        ("event", &event),
        ("correlation", &format!("/correlations/{PATH}")),
        ("trade-path", "/trade-path"),
        ("intents", "/intents"),
        ("intent", "/intents/1"),
        ("models", "/models"),
        ("models-none", "/models?status=none"),
        ("model", &format!("/models/{MODEL}")),
        ("model-as-of", &format!("/models/{MODEL}?at=-100d&metric=drawdown")),
        ("model-without", "/models/rl_v3_multi_1h"),
        ("version", &candidate),
        ("version-failing", &failing),
        ("version-forced", &forced),
        ("promote", &format!("{candidate}/promote")),
        ("promote-closed", &format!("{failing}/promote")),
        ("rollback", &format!("/models/{MODEL}/rollback")),
        ("fail", &format!("{failing}/move/failed")),
        ("delete", &format!("{failing}/delete")),
        ("compare", &compare),
        ("compare-none", "/models/compare"),
        ("schedule", "/schedule"),
        ("schedule-none", "/schedule?type=other&trigger=manual"),
        ("webhooks", "/webhooks"),
        ("webhook", "/webhooks/desk"),
        ("dead-letters", "/dead-letters"),
        ("dead-letter", "/dead-letters/1"),
        ("users", "/users"),
        ("user", "/users/otto"),
        ("user-delete", "/users/otto/delete"),
        ("tokens", "/tokens"),
        ("token-revoke", "/tokens/1/revoke"),
        ("sessions", "/sessions"),
        ("audit", "/audit"),
        ("account", "/account"),
    ]
    .map(|(name, path)| (name, path.to_owned()))
    .into()
}

/// Looks at the page that is shown in every view; what is wrong with it goes to `found`.
async fn look(browser: &mut Browser, name: &str, found: &mut Vec<String>) {
    for view in View::ALL {
        browser.look(view).await;
        let barriers = browser.barriers().await;
        found.extend(barriers.into_iter().map(|barrier| format!("{name}: {barrier}")));
        browser.picture(name).await;
    }
}

#[tokio::test]
async fn everybody_can_read_every_page_at_a_desk_and_on_a_phone_by_day_and_by_night() {
    let scene = Scene::new();
    scene.token("feeder", "publish");
    let elsewhere = Request::form("/sign-in", &[("name", "otto"), ("password", PASSWORD)]);
    let elsewhere =
        elsewhere.header("User-Agent", "Mozilla/5.0 (Android 16; Mobile; rv:148.0) Gecko/148.0 Firefox/148.0");
    assert_eq!(send(scene.daemon.tcp(), &elsewhere).status, 303);
    let mut browser = Browser::open(&scene.daemon.url()).await;
    let mut found = Vec::new();
    browser.goto("/sign-in").await;
    look(&mut browser, "sign-in", &mut found).await;
    sign_in(&browser, "anna").await;
    for (name, path) in pages(&browser).await {
        browser.goto(&path).await;
        // What counts through the store in the background is looked at when it is done.
        browser.reloads_while("Counting:").await;
        look(&mut browser, name, &mut found).await;
        assert_eq!(browser.place().await, path, "{name} leads elsewhere");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.goto("/nothing").await;
    look(&mut browser, "not-found", &mut found).await;
    browser.was_refused(404);
    assert!(found.is_empty(), "{} barriers:\n{}", found.len(), found.join("\n"));
    browser.close().await;
}
