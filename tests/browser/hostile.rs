//! Whoever writes a log line, or calls the API, fills fields that others read in a browser. All of it is text there.

use quantum_clm::app::App;
use quantum_clm::app::registry::{Ask, NewVersion};
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::model::{ModelStatus, Origin, Provenance};
use quantum_clm::domain::role::Role;
use serde_json::json;

use super::scene::{PASSWORD, RISK, Scene};
use super::web::{Request, send};
use crate::support::browser::Browser;
use crate::support::journal::Line;
use crate::support::work::{lease_request, record};

/// Runs if any page takes it for HTML: leaves elements and a variable behind, and asks for things that are not there.
const TEXT: &str =
    "<script>window.hostile=1</script><img src=/hostile onerror=hostile=1>\"'><b class=hostile>&lt;&amp;${7*7}{{7*7}}";

/// The same for names, which are short and have no blanks.
const NAME: &str = "<svg/onload=hostile=1><b/class=hostile>";

/// Goes to a page that shows all of `words` as they are, and on which nothing of them came to life.
async fn harmless(browser: &Browser, path: &str, words: &[&str]) {
    is_text(browser, path, words).await;
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{path}: {complaints:#?}");
}

async fn is_text(browser: &Browser, path: &str, words: &[&str]) {
    browser.goto(path).await;
    let left = "return [window.hostile ?? null, document.querySelectorAll('.hostile, main script, main img, [onload]').length]";
    assert_eq!(browser.ask(left).await, json!([null, 0]), "{path} takes text for HTML");
    let text = browser.text().await;
    for word in words {
        assert!(text.contains(word), "{path} does not show {word:?}: {text}");
    }
}

/// A model of which somebody outside has filled in everything that can be filled in.
const HOSTILE_MODEL: &str = "other_hostile_1h";

fn hostile_model(app: &App) {
    let now = quantum_clm::observe::now();
    let ask =
        || Ask { actor: Actor::person(NAME, TEXT), grant: Grant::Role(Role::Admin), now, key: None, expected: None };
    let id = HOSTILE_MODEL.parse().unwrap();
    let texts = |value: &str| [(NAME.to_owned(), value.to_owned())].into();
    let version = |name: &str, value: &str| NewVersion {
        name: Some(name.parse().unwrap()),
        parent: None,
        provenance: Provenance {
            origin: Origin::Import(TEXT.to_owned()),
            data: None,
            parameters: texts(value),
            feature_count: None,
            code_revision: Some(TEXT.to_owned()),
        },
        train_metrics: [(NAME.to_owned(), 0.5)].into(),
        validation_metrics: [(TEXT.to_owned(), 0.5)].into(),
        tags: texts(value),
        importances: None,
        success: true,
    };
    app.registry.register(&ask(), &id, &version("v1", "harmless")).unwrap();
    app.registry.register(&ask(), &id, &version("v2", TEXT)).unwrap();
    app.registry.advance(&ask(), &id, &"v1".parse().unwrap(), ModelStatus::Failed, TEXT).unwrap();
}

/// A job of which somebody outside has filled in everything that can be filled in.
fn hostile_job(scene: &Scene) -> String {
    let asked = json!({
        "model_id": HOSTILE_MODEL, "why": TEXT, "training_params": {NAME: TEXT}, "feature_config": {TEXT: [NAME]},
        "strategy_candidate_id": NAME,
    });
    let (status, job) = scene.daemon.ask("POST", "/api/jobs", &asked);
    assert_eq!(status, 201, "{job}");
    let job = job["job_id"].as_str().unwrap().to_owned();
    let trainer = scene.trainer();
    let mut request = lease_request();
    request["programs"] = json!({"other": ["data", "train", "evaluate"]});
    let first = trainer.say("/api/work/lease", &request);
    assert_eq!(first["job"], job.as_str());
    trainer.write(&job, 1, 0, &record(TEXT));
    let resources = json!({"memory_peak": 1, "cpu_ms": 1, "output_bytes": 1});
    let beat = json!({"epoch": 1, "progress": 0.5, "message": TEXT, "resources": resources});
    trainer.say(&format!("/api/work/jobs/{job}/beat"), &beat);
    job
}

/// What does no harm in a URL, whatever it is.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn what_lines_and_callers_write_is_text_on_every_page() {
    let mut scene = Scene::with(hostile_model);
    let before = scene.daemon.events().unwrap();
    let envelope = json!({"level": "ERROR", "service": TEXT, "correlation_id": TEXT, "msg": TEXT}).to_string();
    scene.journal.clock = quantum_clm::observe::now().0;
    scene.journal.append([
        Line::new(RISK, TEXT),
        Line::new(RISK, TEXT).set("_HOSTNAME", TEXT),
        Line::new(RISK, &envelope),
    ]);
    scene.daemon.wait_events(before + 3);
    // A program's events, so many of them bad that an intent about the unit is opened.
    let token = scene.token("feeder", "publish");
    let event = json!({"unit": NAME, "source": NAME, "host": NAME, "level": "error", "message": TEXT, "symbol": NAME,
        "correlation_id": NAME, "fields": {NAME: TEXT}});
    let events = format!("{event}\n").repeat(25);
    let request = Request::post("/api/events", &events).header("Content-Type", "application/x-ndjson").bearer(&token);
    let answer = send(scene.daemon.tcp(), &request);
    assert_eq!(answer.status, 202, "{answer:?}");
    let ids = answer.json()["ids"].clone();
    let id = ids[0].as_str().unwrap_or_else(|| panic!("{ids}"));
    scene.daemon.wait("a second intent", |status| status["intents_open"] == 2);
    // Whoever signs in says what browser it is, and whoever fails says who they are.
    let form = [("name", "otto"), ("password", PASSWORD)];
    let signed = send(scene.daemon.tcp(), &Request::form("/sign-in", &form).header("User-Agent", TEXT));
    assert_eq!(signed.status, 303, "{signed:?}");
    let refused = Request::form("/sign-in", &[("name", TEXT), ("password", TEXT)]).header("User-Agent", TEXT);
    let refused = send(scene.daemon.tcp(), &refused);
    assert_eq!(refused.status, 401, "{refused:?}");
    let (status, answer) = scene.daemon.ask("POST", "/api/intents/1/ack", &json!({"why": TEXT}));
    assert_eq!(status, 200, "{answer}");

    let browser = scene.browser("anna").await;
    let (name, text) = (encoded(NAME), encoded(TEXT));
    let version = format!("/models/{HOSTILE_MODEL}/versions/v2");
    let job = hostile_job(&scene);
    let in_work = format!("/jobs/{job}");
    harmless(&browser, "/jobs", &[TEXT]).await;
    harmless(&browser, &in_work, &[TEXT, NAME]).await;
    harmless(&browser, &format!("{in_work}/cancel"), &[]).await;
    // Lines that arrive while somebody looks are text as well.
    browser.goto(&in_work).await;
    scene.trainer().write(&job, 1, record(TEXT).len() as u64, &record(&format!("and {TEXT}")));
    browser.shows(&format!("and {TEXT}")).await;
    let left = "return [window.hostile ?? null, document.querySelectorAll('.hostile, [onload]').length]";
    assert_eq!(browser.ask(left).await, json!([null, 0]), "a live line is taken for HTML");
    let (status, answer) = scene.daemon.ask("POST", &format!("/api/jobs/{job}/cancel"), &json!({"why": TEXT}));
    assert_eq!(status, 200, "{answer}");
    let failed = json!({"job": job, "epoch": 1, "program": "data"});
    scene.trainer().report(&failed, &json!({"outcome": "failed", "failure": {"kind": "program", "why": TEXT}}));
    for (path, words) in [
        ("/jobs", &[TEXT][..]),
        (&in_work, &[TEXT, NAME]),
        (&format!("{in_work}?grep={text}&epoch=1&from={text}&done={text}"), &[TEXT]),
        (&format!("/jobs?state={text}&type={text}&trigger={text}&model={text}&done={text}"), &[]),
        ("/", &[NAME]),
        ("/events", &[NAME, TEXT]),
        (&format!("/events/{id}"), &[NAME, TEXT]),
        (&format!("/correlations?id={name}"), &[NAME, TEXT]),
        (&format!("/correlations?id={text}"), &[TEXT]),
        (&format!("/events?grep={text}&unit={name}&symbol={name}&source={name}&host={name}"), &[NAME, TEXT]),
        ("/intents", &[NAME]),
        ("/intents/1", &[TEXT]),
        ("/intents/2", &[NAME]),
        ("/trade-path", &[]),
        (&format!("/trade-path?source={text}&window={text}"), &[]),
        ("/models", &[]),
        (&format!("/models/{HOSTILE_MODEL}"), &[TEXT]),
        (&version, &[TEXT, NAME]),
        (&format!("{version}/promote?why={text}"), &[]),
        (&format!("{version}/delete"), &[]),
        (&format!("/models/{HOSTILE_MODEL}?metric={text}&done={text}&after={text}&before={text}"), &[TEXT]),
        (&format!("/models/{HOSTILE_MODEL}/rollback?to={text}"), &[]),
        (&format!("/models?type={text}&status={text}&after={text}"), &[]),
        (&format!("/models/compare?v={HOSTILE_MODEL}%2Fv1&v={HOSTILE_MODEL}%2Fv2"), &[TEXT, NAME]),
        ("/sessions", &[TEXT]),
        ("/audit", &[TEXT]),
        (&format!("/audit?by={text}&action={text}&subject={text}"), &[]),
        (&format!("/users?done={text}"), &[]),
        ("/tokens", &[]),
    ] {
        harmless(&browser, path, words).await;
    }
    // What is refused is written back into its field.
    for path in
        [format!("/models/{HOSTILE_MODEL}?at={text}"), format!("/models/compare?v={text}&v={HOSTILE_MODEL}%2Fv2")]
    {
        is_text(&browser, &path, &[]).await;
        browser.was_refused(422);
        let kept = browser.find("main input:not([type=hidden])").await.prop("value").await.unwrap();
        assert_eq!(kept.as_deref(), Some(TEXT), "{path}");
    }
    browser.close().await;
}
