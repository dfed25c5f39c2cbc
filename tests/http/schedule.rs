//! The schedule, asked without a socket: what programs are told, who may see it, and the page.

use axum::http::StatusCode;
use quantum_clm::app::schedule::ScheduleError;
use quantum_clm::domain::access::Grant;
use quantum_clm::domain::job::Trigger;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::schedule::{NewTrigger, Target};
use quantum_clm::observe::now;
use serde_json::{Value, json};

use crate::schedule::bed::{drift, named};
use crate::support::app::{Appliance, As};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
const BTC: &str = "xgboost_btcusdt_1h";

/// Three models, four triggers, and a queue that is full with the first one's job.
struct Desk {
    appliance: Appliance,
    viewer: As,
    operator: As,
}

impl Desk {
    fn new() -> Self {
        let appliance = Appliance::configured(|config| {
            config.scheduler.models = [BTC, "nhits_multi_4h", "tft_ethusdt_1h"].map(named).into();
            config.scheduler.quiet = vec!["Sat 01:00-02:00".parse().unwrap()];
            config.jobs.waiting = 1;
        });
        let regime = NewTrigger {
            target: Target::Model("nhits_multi_4h".into()),
            reason: Trigger::RegimeChange,
            evidence: HOSTILE.into(),
            by: "market.regime_changed".into(),
            ..drift(BTC)
        };
        let by_hand = NewTrigger { reason: Trigger::Manual, by: "anna".into(), figure: None, ..drift(BTC) };
        // What came in no-training hours would wait for their end.
        let at = appliance.app.schedule.rules().calendar.free_from(now());
        for new in [drift(BTC), regime, drift("nobody"), by_hand] {
            let write = |txn: &_| appliance.app.schedule.trigger(txn, &new, at);
            let recorded = appliance.app.store.write::<_, ScheduleError>(write).unwrap();
            appliance.app.schedule.announce(&recorded);
        }
        appliance.add_user(Role::Viewer);
        appliance.add_user(Role::Operator);
        let (viewer, operator) = (appliance.session(Role::Viewer), appliance.session(Role::Operator));
        Self { appliance, viewer, operator }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.appliance.get(&self.viewer, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    async fn page(&self, who: &As, path: &str) -> String {
        let answer = self.appliance.get(who, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.body
    }
}

/// Without the instants of the run.
fn stable(value: &Value) -> Value {
    let instant = regex::Regex::new(r"20\d\d-\d\d-\d\d(?:T\d\d:\d\d:\d\d\.\d{3}Z| \d\d:\d\d UTC)").unwrap();
    serde_json::from_str(&instant.replace_all(&value.to_string(), "<now>")).unwrap()
}

#[tokio::test]
async fn every_answer() {
    let desk = Desk::new();
    let mut plan = desk.get("/api/schedule").await;
    // Whether it is such an hour now is the run's matter.
    plan["rules"]["quiet_until"] = Value::Null;
    insta::assert_json_snapshot!("schedule", stable(&plan));
    insta::assert_json_snapshot!("triggers", stable(&desk.get("/api/triggers").await));
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let desk = Desk::new();
    let (mut models, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/api/schedule?limit=2&cursor={cursor}")).await;
        assert_eq!(page["total"], 3, "{page}");
        models.extend(page["models"].as_array().unwrap().iter().map(|model| model["model_id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(models, ["nhits_multi_4h", "tft_ethusdt_1h", BTC]);
    let of_type = desk.get("/api/schedule?model_type=xgboost").await;
    assert_eq!((&of_type["total"], &of_type["models"][0]["model_id"]), (&json!(1), &json!(BTC)));

    let (mut numbers, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/api/triggers?limit=1&model_id={BTC}&cursor={cursor}")).await;
        numbers.extend(page["triggers"].as_array().unwrap().iter().map(|trigger| trigger["number"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(numbers, [4, 1]);
    let changes = desk.get("/api/triggers?reason=regime_change").await;
    assert_eq!(changes["triggers"].as_array().map(Vec::len), Some(1), "{changes}");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_where() {
    let desk = Desk::new();
    for (path, field) in [
        ("/api/schedule?limit=0", "limit"),
        ("/api/schedule?cursor=a%20b", "cursor"),
        ("/api/schedule?model_type=abacus", "model_type"),
        ("/api/triggers?cursor=x", "cursor"),
        ("/api/triggers?reason=boredom", "reason"),
    ] {
        let answer = desk.appliance.get(&desk.viewer, path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {answer:?}");
        assert!(answer.json()["detail"][0].to_string().contains(field), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn whoever_may_look_may_see_it() {
    let desk = Desk::new();
    let worker = desk.appliance.token("worker".parse::<Grant>().unwrap(), "w1");
    for path in ["/api/schedule", "/api/triggers"] {
        for (who, expected) in
            [(&As::Nobody, StatusCode::UNAUTHORIZED), (&worker, StatusCode::FORBIDDEN), (&desk.viewer, StatusCode::OK)]
        {
            assert_eq!(desk.appliance.get(who, path).await.status, expected, "{path} by {who:?}");
        }
    }
}

#[tokio::test]
async fn the_page_says_when_and_why_not_yet() {
    let desk = Desk::new();
    let page = desk.page(&desk.viewer, "/schedule").await;
    for text in [
        "every 7 days",
        "Not yet, because job-1 of the model is open.",
        "href=\"/jobs/job-1\"",
        "Not yet, because as many jobs are open as may be (jobs.waiting).",
        "Not by the clock: no interval is configured for it (scheduler.intervals).",
        "No model &#34;nobody&#34; is known.",
        "It was open already, and serves this too.",
        "Sat 01:00-02:00 (UTC)",
        "6 hours between two trainings",
        "aria-current=\"page\">Schedule",
    ] {
        assert!(page.contains(text), "{text:?} is not on the page: {page}");
    }
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");

    let changes = desk.page(&desk.viewer, "/schedule?trigger=regime_change").await;
    assert!(changes.contains("Triggers that fit") && !changes.contains("was open already"), "{changes}");
    let of_type = desk.page(&desk.viewer, "/schedule?type=nhits").await;
    assert!(!of_type.contains("<th scope=\"row\" class=\"model inline\">xgboost"), "{of_type}");
    desk.page(&desk.viewer, "/schedule?type=abacus&after=%20&before=x&trigger=no&model=a%20b").await;
}

#[tokio::test]
async fn an_operator_trains_a_model_from_the_page() {
    let desk = Desk::new();
    let button = |model: &str| format!("aria-label=\"Train {model} now\"");
    let page = desk.page(&desk.operator, "/schedule").await;
    assert!(page.contains(&button("tft_ethusdt_1h")), "{page}");
    assert!(!page.contains(&button(BTC)), "its training is open: {page}");
    let viewed = desk.page(&desk.viewer, "/schedule").await;
    assert!(!viewed.contains("aria-label=\"Train "), "what is refused is not offered: {viewed}");

    desk.appliance.app.jobs.cancel(&crate::schedule::bed::anna(now()), "job-1".parse().unwrap(), "a place").unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let As::Session { csrf, .. } = &desk.operator else { unreachable!() };
    let sent = format!("csrf={csrf}&model_type=tft&symbol=ethusdt&timeframe=1h&regime=");
    let answer = desk.appliance.ask(&desk.operator, axum::http::Method::POST, "/jobs", &sent, &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let plan = desk.get("/api/schedule?model_type=tft").await;
    assert_eq!(plan["models"][0]["state"], "open", "{plan}");
}

#[tokio::test]
async fn without_models_the_page_says_what_would_be_here() {
    let appliance = Appliance::new();
    appliance.add_user(Role::Viewer);
    let page = appliance.get(&appliance.session(Role::Viewer), "/schedule").await.body;
    for text in ["No model is known yet", "Nothing has spoken for a training yet", "No model of this type is known."] {
        assert!(page.contains(text), "{text:?}: {page}");
    }
}
