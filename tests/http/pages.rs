//! The pages over a data file that is always the same, asked without a socket.

use axum::http::{Method, StatusCode};
use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::{Decision, EventRef, Level};
use quantum_clm::domain::feed::{Gap, GapCause};
use quantum_clm::domain::id::{EventId, IntentId};
use quantum_clm::domain::intent::{IntentKey, Severity, Subject};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::rules::{Finding, Raise};
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::now;
use quantum_clm::store::StoreError;

use crate::support::app::{Answer, Appliance, As};

/// Text that does something wherever it is taken for HTML.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// What every page must not hold, whatever was stored.
const LIVE: [&str; 4] = ["<script>alert", "<img", "\"'><", "onerror=\""];

const HOST: &str = "quantumtrader-prod-1";

/// An event of `source` under the id `c-1`, `after` microseconds after `start`.
fn event<'a>(source: &'a str, start: Micros, after: u64, message: &'a str) -> EventRef<'a> {
    let unit = match source {
        "ai_engine" => "quantum-ai-engine.service",
        "strategy" => "quantum-strategy-brain.service",
        "risk" => "quantum-risk-brain.service",
        _ => "quantum-execution.service",
    };
    EventRef {
        id: EventId::ZERO,
        ts: start.plus(after),
        unit,
        source,
        host: HOST,
        level: Level::INFO,
        message,
        symbol: Some("BTCUSDT"),
        correlation_id: Some("c-1"),
        decision: Some(Decision::Buy),
        confidence: None,
        fields: None,
    }
}

struct Pages {
    appliance: Appliance,
    viewer: As,
    operator: As,
}

impl Pages {
    fn new() -> Self {
        let appliance = Appliance::new();
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            appliance.add_user(role);
        }
        let (viewer, operator) = (appliance.session(Role::Viewer), appliance.session(Role::Operator));
        Self { appliance, viewer, operator }
    }

    /// Stores events as if they were committed at `at`; the id of the first.
    fn store(&self, at: Micros, events: &[EventRef<'_>]) -> EventId {
        let mut batch = EventBatch::new();
        events.iter().for_each(|event| batch.push(*event));
        let mut first = EventId::ZERO;
        let stored = self.appliance.app.store.write::<_, StoreError>(|txn| {
            first = txn.feed().last.first_at(at);
            batch.number(first);
            txn.append(&batch)?;
            txn.finish_feed(None)
        });
        stored.unwrap();
        first
    }

    fn raise(&self, subject: Subject, reason: &str, at: Micros) {
        let key = IntentKey { rule: "error_rate".into(), subject, window: at.hour().to_string() };
        let raise = Raise {
            key,
            severity: Severity::High,
            reason: reason.into(),
            suggested_action: "investigate".into(),
            count: 32,
            threshold: 20,
            at,
        };
        let raised =
            self.appliance.app.store.write::<_, StoreError>(|txn| txn.apply_findings(&[Finding::Raise(raise)], at));
        raised.unwrap();
    }

    async fn get(&self, path: &str) -> Answer {
        self.appliance.get(&self.viewer, path).await
    }

    /// The page, which must be there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.body
    }

    async fn form(&self, who: &As, path: &str, body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let As::Session { csrf, .. } = who else { panic!("a form is sent by somebody who is signed in") };
        self.appliance.ask(who, Method::POST, path, &format!("csrf={csrf}&{body}"), &form).await
    }
}

/// What stands between `from` and `to`, which must both be there.
#[track_caller]
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {text}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("no {to:?} after {from:?} in {text}")).0
}

/// Without the hashes in the names of static files and whatever else differs from run to run.
fn stable(html: &str) -> String {
    let mut text = String::new();
    for line in html.lines() {
        let line = line.trim_end();
        let Some((before, rest)) = line.split_once("/static/") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let (name, rest) = rest.split_once('.').unwrap();
        text.push_str(&format!("{before}/static/{name}.{}\n", rest.split_once('.').unwrap().1));
    }
    // A session's token.
    let csrf = text.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    csrf.map_or(text.clone(), |csrf| text.replace(&csrf, "CSRF"))
}

/// 2024-06-17T10:51:19.809316Z
const THEN: Micros = Micros(1_718_621_479_809_316);

fn decision(start: Micros) -> [EventRef<'static>; 4] {
    let confidence = Some(0.69);
    [
        EventRef { confidence, ..event("ai_engine", start, 0, "signal for BTCUSDT: BUY") },
        EventRef { decision: None, ..event("ai_engine", start, 1_500, "features: 12") },
        event("strategy", start, 4_000, "plan accepted"),
        EventRef { level: Level::WARNING, ..event("risk", start, 2_004_000, "BTCUSDT BUY blocked: exposure 12 %") },
    ]
}

#[tokio::test]
async fn one_event_and_the_path_of_its_decision() {
    let pages = Pages::new();
    let mut events = decision(THEN);
    events[0].fields = Some(r#"{"trade_id":7,"legs":[{"a":null}]}"#);
    let first = pages.store(THEN, &events);
    insta::assert_snapshot!("event", stable(&pages.page(&format!("/events/{first}")).await));
    insta::assert_snapshot!("correlation", stable(&pages.page("/correlations/c-1").await));
    insta::assert_snapshot!("events", stable(&pages.page("/events?decision=BUY&level=warning").await));
}

#[tokio::test]
async fn neighbours_of_the_unit_and_of_all() {
    let pages = Pages::new();
    let names: Vec<String> = (0..60).map(|number| format!("line {number:02}")).collect();
    let sources = ["risk", "execution"];
    let events: Vec<_> =
        names.iter().enumerate().map(|(at, name)| event(sources[at % 2], THEN, at as u64, name)).collect();
    let first = pages.store(THEN, &events);
    let id = EventId(first.0 + 30);
    let shown = |page: &str| -> Vec<String> {
        let rows = page.split("<td class=\"message\">").skip(1);
        rows.map(|row| row.split(" <").next().unwrap().to_owned()).collect()
    };
    let unit = shown(&pages.page(&format!("/events/{id}")).await);
    // Its unit wrote 14 more lines after it and 15 before.
    assert_eq!((unit.first().unwrap().as_str(), unit.last().unwrap().as_str(), unit.len()), ("line 58", "line 00", 30));
    let all = shown(&pages.page(&format!("/events/{id}?around=all")).await);
    assert_eq!((all.first().unwrap().as_str(), all.last().unwrap().as_str(), all.len()), ("line 50", "line 10", 41));
    let page = pages.page(&format!("/events/{id}?around=all")).await;
    assert!(between(&page, "class=\"marked\"", "</tr>").contains("line 30"), "the event itself stands out");
    assert_eq!(page.matches("class=\"marked\"").count(), 1);
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let pages = Pages::new();
    pages.store(THEN, &decision(THEN));
    for (path, status) in [
        ("/events/17-3", StatusCode::NOT_FOUND),
        ("/events/nonsense", StatusCode::UNPROCESSABLE_ENTITY),
        ("/correlations/nobody", StatusCode::NOT_FOUND),
        ("/correlations?id=..", StatusCode::NOT_FOUND),
        ("/intents/7", StatusCode::NOT_FOUND),
    ] {
        let answer = pages.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains("<h1>"), "{path} is a page: {answer:?}");
    }
    // An id that can stand in a path has its page there.
    let answer = pages.get("/correlations?id=c-1").await;
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (StatusCode::SEE_OTHER, &"/correlations/c-1".parse().unwrap())
    );
}

#[tokio::test]
async fn lists_go_on_where_they_ended() {
    let pages = Pages::new();
    let names: Vec<String> = (0..250).map(|number| format!("line {number:03}.")).collect();
    let events: Vec<_> = names.iter().enumerate().map(|(at, name)| event("risk", THEN, at as u64, name)).collect();
    pages.store(THEN, &events);
    let (mut path, mut seen) = ("/events?unit=quantum-risk-brain.service".to_owned(), Vec::new());
    for rows in [100, 100, 50] {
        let page = pages.page(&path).await;
        let lines = page.split("<td class=\"message\">line ").skip(1).map(|row| row[..3].to_owned());
        let before = seen.len();
        seen.extend(lines);
        assert_eq!(seen.len() - before, rows, "{path}");
        match page.split_once("rel=\"next\"") {
            Some((head, _)) => path = between(head.rsplit_once("<a").unwrap().1, "href=\"", "\"").replace("&#38;", "&"),
            None => path = String::new(),
        }
    }
    assert_eq!(path, "", "the last page leads nowhere");
    let expect: Vec<String> = (0..250).rev().map(|number| format!("{number:03}")).collect();
    assert_eq!(seen, expect);
}

#[tokio::test]
async fn a_bad_filter_is_named_at_its_field_and_the_form_keeps_what_it_held() {
    let pages = Pages::new();
    pages.store(THEN, &decision(THEN));
    let answer = pages.get("/events?since=soonish&unit=a%22b&level=loud&decision=buy").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(between(&answer.body, "id=\"since-misfit\">", "</p>").contains("-2h"), "{}", answer.body);
    assert!(between(&answer.body, "id=\"level-misfit\">", "</p>").contains("warning"), "{}", answer.body);
    let field = between(&answer.body, "<input id=\"since\"", "</div>");
    assert!(field.contains("value=\"soonish\"") && field.contains("aria-invalid=\"true\""), "{field}");
    assert!(answer.body.contains("value=\"a&#34;b\""), "the unit stays: {}", answer.body);
    assert!(!answer.body.contains("No event fits"), "nothing was looked for");
    let answer = pages.get("/events?cursor=nonsense").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_intent_is_acknowledged_and_resolved_once() {
    let pages = Pages::new();
    let (unit, at) = (Subject::Unit("quantum-risk-brain.service".into()), now());
    pages.store(at, &decision(at.minus(2_004_000)));
    pages.raise(unit, "High error rate: 32 errors/hour", at);
    assert!(!pages.page("/intents/1").await.contains("formaction"), "a viewer has nothing to send");
    let answer = pages.appliance.get(&pages.operator, "/intents/1").await;
    assert!(answer.body.contains("formaction=\"/intents/1/acknowledge\""), "{}", answer.body);
    assert!(answer.body.contains("blocked: exposure 12 %"), "the events behind it: {}", answer.body);
    assert!(answer.body.contains("data-threshold=\"20\""), "{}", answer.body);

    let refused = pages.form(&pages.viewer, "/intents/1/acknowledge", "why=x").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let empty = pages.form(&pages.operator, "/intents/1/acknowledge", "why=+").await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(between(&empty.body, "id=\"why-misfit\">", "</p>").contains("say why"), "{}", empty.body);
    let done = pages.form(&pages.operator, "/intents/1/acknowledge", "why=I+look").await;
    let location = done.headers["location"].to_str().unwrap();
    assert_eq!((done.status, location), (StatusCode::SEE_OTHER, "/intents/1?done=intent-acknowledged"), "{done:?}");
    let answer = pages.appliance.get(&pages.operator, location).await;
    assert!(between(&answer.body, "<p class=\"notice good\"", "</p>").contains("acknowledged"), "{}", answer.body);
    assert!(!answer.body.contains("formaction"), "only resolving is left");
    let page = pages.page("/intents").await;
    assert!(page.contains("operator: I look"), "{page}");

    let late = pages.form(&pages.operator, "/intents/1/acknowledge", "why=me+too").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    let sentence = between(&late.body, "role=\"alert\">", "</p>");
    assert_eq!(
        sentence,
        "Nothing was changed: operator acknowledged this intent in the meantime. It is shown as it now is."
    );
    assert!(late.body.contains(">me too</textarea>"), "what was written is not lost: {}", late.body);
    let done = pages.form(&pages.operator, "/intents/1/resolve", "why=limit+raised").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    let late = pages.form(&pages.operator, "/intents/1/resolve", "why=again").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    let stored = pages.appliance.app.store.intent(IntentId(1)).unwrap().unwrap();
    assert_eq!(stored.resolved.map(|note| (note.by, note.why)), Some(("operator".into(), "limit raised".into())));
}

#[tokio::test]
async fn health_says_what_is_wrong_since_when_and_what_to_do() {
    let pages = Pages::new();
    let quiet = pages.page("/").await;
    assert!(between(&quiet, "<h2>", "</h2>").contains("Everything works."), "{quiet}");
    assert!(quiet.contains("no events in the last 24 h"), "{quiet}");
    pages.appliance.app.board.reporter("mirror").failed("cannot reach Redis", "start Redis");
    let at = now();
    pages.store(at, &decision(at.minus(2_004_000)));
    pages.raise(Subject::Unit("quantum-risk-brain.service".into()), "High error rate: 32 errors/hour", at);
    let gap = Gap { cause: GapCause::Suppressed, since: None, until: at, unit: None, lost: Some(120) };
    let id = pages.appliance.app.store.feed().last;
    pages.appliance.app.store.write::<_, StoreError>(|txn| txn.record_gap(id, &gap)).unwrap();
    let page = pages.page("/").await;
    assert_eq!(between(&page, "<h2>", "</h2>"), "Degraded: mirror does not work.");
    let verdict = between(&page, "aria-label=\"Verdict\"", "</section>");
    for word in ["cannot reach Redis", "What to do: start Redis", "since <time"] {
        assert!(verdict.contains(word), "{word}: {verdict}");
    }
    assert!(page.contains("journald dropped 120 messages") && page.contains("href=\"/intents/1\""), "{page}");
    // Chart and table are one: what the script draws is what a reader without pictures sees.
    let table = between(&page, "<details id=\"errors-by-unit-table\" open>", "</details>");
    assert!(table.contains("<th scope=\"col\" class=\"number\">quantum-risk-brain</th>"), "{table}");
    assert_eq!(table.matches("<th scope=\"row\">").count(), 24, "{table}");
    assert!(pages.page("/?window=30d").await.contains("Events a day, by unit"));
}

#[tokio::test]
async fn the_trade_path_says_how_far_it_has_counted() {
    let pages = Pages::new();
    let at = now();
    pages.store(at, &decision(at.minus(2_004_000)));
    let page = pages.page("/trade-path").await;
    assert!(page.contains("Counting: 0 %"), "nobody has counted yet: {page}");
    let (app, mut steps) = (&pages.appliance.app, 0);
    while app.views.trade_path.step(&app.store, now()).unwrap() {
        steps += 1;
        assert!(steps < 100, "it never ends");
    }
    let page = pages.page("/trade-path?window=6h").await;
    assert!(!page.contains("Counting"), "{page}");
    assert!(page.contains("Of 1 signal to trade, 0 (0.0\u{a0}%) reached execution."), "{page}");
    assert!(page.contains("&#60;symbol&#62; &#60;side&#62; blocked: exposure &#60;n&#62; %"), "{page}");
    let other = pages.page("/trade-path?symbol=ETHUSDT").await;
    assert!(other.contains("No signal wanted to trade"), "{other}");
    // What is stored from now on is counted without history being read again.
    pages.store(now(), &[event("execution", at, 9, "filled")]);
    app.views.trade_path.step(&app.store, now()).unwrap();
    assert!(pages.page("/trade-path").await.contains("The one signal to trade reached execution."));
}

#[tokio::test]
async fn text_from_outside_is_text_on_every_page() {
    let pages = Pages::new();
    let at = now();
    let fields = serde_json::json!({ HOSTILE: HOSTILE }).to_string();
    let hostile = EventRef {
        unit: HOSTILE,
        host: HOSTILE,
        level: Level::ERROR,
        symbol: Some(HOSTILE),
        correlation_id: Some(HOSTILE),
        fields: Some(&fields),
        ..event("risk", at, 0, HOSTILE)
    };
    let first = pages.store(at, &[hostile, EventRef { source: HOSTILE, ..hostile }]);
    pages.raise(Subject::Unit(HOSTILE.into()), HOSTILE, at);
    pages.raise(Subject::Symbol(HOSTILE.into()), HOSTILE, at);
    pages.appliance.app.board.reporter(HOSTILE).failed(HOSTILE, HOSTILE);
    let why = serde_urlencoded::to_string([("why", HOSTILE)]).unwrap();
    for what in ["acknowledge", "resolve"] {
        let done = pages.form(&pages.operator, &format!("/intents/1/{what}"), &why).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
    }
    let app = &pages.appliance.app;
    pages.page("/trade-path").await;
    while app.views.trade_path.step(&app.store, now()).unwrap() {}
    let query = |name: &str| serde_urlencoded::to_string([(name, HOSTILE)]).unwrap();
    let fields =
        ["since", "until", "unit", "symbol", "level", "decision", "correlation_id", "grep", "cursor", "patience"];
    let all = fields.map(query).join("&");
    for (path, shows) in [
        ("/".to_owned(), true),
        ("/events".to_owned(), true),
        (format!("/events?{}", query("grep")), true),
        (format!("/events?{all}"), true),
        (format!("/events/{first}"), true),
        (format!("/correlations?{}", query("id")), true),
        ("/intents".to_owned(), true),
        ("/intents/1".to_owned(), true),
        ("/intents/2".to_owned(), true),
        (format!("/intents/2?{}", query("done")), true),
        ("/trade-path".to_owned(), true),
        (format!("/trade-path?{}&{}", query("symbol"), query("window")), true),
        (format!("/?{}", query("window")), true),
    ] {
        let answer = pages.get(&path).await;
        let body = answer.body;
        for live in LIVE {
            assert!(!body.contains(live), "{path} holds {live}: {body}");
        }
        assert_eq!(body.contains("&#60;script&#62;alert(1)"), shows, "{path}: {body}");
    }
}

#[tokio::test]
async fn every_page_is_whole_for_keyboards_readers_and_the_policy() {
    let pages = Pages::new();
    let at = now();
    let first = pages.store(at, &decision(at));
    pages.raise(Subject::Unit("quantum-risk-brain.service".into()), "High error rate: 32 errors/hour", at);
    for (path, place) in [
        ("/".to_owned(), "/"),
        ("/events".to_owned(), "/events"),
        (format!("/events/{first}"), "/events"),
        ("/correlations/c-1".to_owned(), "/events"),
        ("/trade-path".to_owned(), "/trade-path"),
        ("/intents".to_owned(), "/intents"),
        ("/intents/1".to_owned(), "/intents"),
    ] {
        let page = pages.appliance.get(&pages.operator, &path).await.body;
        assert_eq!(page.matches("<h1>").count(), 1, "{path}");
        assert_eq!(page.matches("<main ").count(), 1, "{path}");
        assert!(page.contains("<a class=\"skip\" href=\"#content\">"), "{path}");
        assert!(page.contains(&format!("<a href=\"{place}\" aria-current=\"page\">")), "{path}: {page}");
        // The policy would stop them, and the page would be broken.
        assert_eq!(page.matches("<script").count(), page.matches(" src=\"/static/").count(), "{path}: inline script");
        for inline in [" style=\"", "<style", " onclick", "javascript:"] {
            assert!(!page.contains(inline), "{path} has {inline}");
        }
        // Every field has its label.
        for control in ["<input id=\"", "<select id=\"", "<textarea id=\""] {
            for rest in page.split(control).skip(1) {
                let id = rest.split('"').next().unwrap();
                assert!(page.contains(&format!("<label for=\"{id}\">")), "{path}: {id} has no label");
            }
        }
        // No id twice: labels and links would lead to the first.
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{path}: an id is there twice");
    }
}
