//! Every page in every light: what it looks like, and whether everybody can read and use it.

use serde_json::json;

use super::scene::{MODEL, PASSWORD, PATH, Scene, sign_in, version};
use super::web::{Request, send};
use crate::support::browser::{Browser, View};
use crate::support::wait_for;
use crate::support::work::{lease_request, record};

/// The pages of a running product, as an admin sees them, by the name of their pictures.
async fn pages(browser: &Browser, jobs: &[String; 2]) -> Vec<(&'static str, String)> {
    browser.goto("/backups").await;
    let backup = browser.find("section[aria-labelledby='there'] a[href^='/backups/']").await;
    let backup = backup.attr("href").await.unwrap().unwrap();
    browser.goto("/events").await;
    let event = browser.find("main a[href^='/events/']").await.attr("href").await.unwrap().unwrap();
    let candidate = version(browser, MODEL, "candidate").await;
    let failing = version(browser, MODEL, "training").await;
    let forced = version(browser, "nhits_ethusdt_4h", "production").await;
    let [running, waiting] = jobs;
    let pair = |path: &str| path.trim_start_matches("/models/").replacen("/versions/", "%2F", 1);
    let compare = format!("/models/compare?v={}&v={}", pair(&candidate), pair(&failing));
    [
        ("jobs", "/jobs"),
        ("jobs-filtered", "/jobs?state=completed&type=lightgbm"),
        ("jobs-none", "/jobs?state=lost"),
        ("job-running", &format!("/jobs/{running}")),
        ("job-waiting", &format!("/jobs/{waiting}")),
        ("job", "/jobs/job-1"),
        ("job-failed", "/jobs/job-2"),
        ("job-retry", "/jobs/job-3"),
        ("job-search", "/jobs/job-1?epoch=1&grep=valid"),
        ("job-cancel", &format!("/jobs/{running}/cancel")),
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
        ("backups", "/backups"),
        ("backup", &backup),
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

/// One that is there.
fn backup(scene: &Scene) {
    let (status, asked) = scene.daemon.ask("POST", "/api/backups", &json!({ "why": "before the upgrade" }));
    assert_eq!(status, 202, "{asked}");
    wait_for("a backup", || {
        let page = scene.daemon.get("/api/backups").unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&page).is_ok_and(|page| !page["backups"][0].is_null())
    });
}

/// A job that is at work and one that waits, besides those of the sample.
fn jobs(scene: &Scene) -> [String; 2] {
    let ask = |symbol: &str| {
        let (status, job) = scene.daemon.ask("POST", "/api/jobs", &json!({"model_type": "lightgbm", "symbol": symbol}));
        assert_eq!(status, 201, "{job}");
        job["job_id"].as_str().unwrap().to_owned()
    };
    let jobs = ["BTCUSDT", "ETHUSDT"].map(ask);
    let (trainer, mut request) = (scene.trainer(), lease_request());
    request["programs"] = json!({"lightgbm": ["data", "train", "evaluate"]});
    let job = &jobs[0];
    assert_eq!(trainer.say("/api/work/lease", &request)["job"], job.as_str());
    let lines: String = (0..40).map(|round| record(&format!("round {round}: loss 0.6{round}"))).collect();
    trainer.write(job, 1, 0, &lines);
    let resources = json!({"memory_peak": 734_003_200, "cpu_ms": 48_210, "output_bytes": 812});
    let beat = json!({"epoch": 1, "progress": 0.42, "message": "round 40 of 100", "resources": resources});
    trainer.say(&format!("/api/work/jobs/{job}/beat"), &beat);
    jobs
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
    let jobs = jobs(&scene);
    backup(&scene);
    let mut browser = Browser::open(&scene.daemon.url()).await;
    let mut found = Vec::new();
    browser.goto("/sign-in").await;
    look(&mut browser, "sign-in", &mut found).await;
    sign_in(&browser, "anna").await;
    for (name, path) in pages(&browser, &jobs).await {
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
