//! What a running daemon tells the commands, and what it tells anybody over TCP.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::bed::Bed;
use crate::support::ask::ask;
use crate::support::wait_for_some;

/// A demo daemon that has its history.
fn demo(more: &str) -> (Bed, super::bed::Serving) {
    let bed = Bed::for_daemon(more);
    let serving = bed.serve(&["serve", "--demo"]);
    serving.is_healthy();
    wait_for_some(
        || (bed.json(&["status"])["events"].as_u64()? >= 1_200).then_some(()),
        || "the demo's history is stored".to_owned(),
    );
    (bed, serving)
}

#[test]
fn health_in_the_predecessors_words() {
    let (bed, _serving) = demo("");
    let out = bed.out(&["health"]);
    let lines: Vec<_> = out.lines().map(|line| line.split_at(19)).collect();
    assert_eq!(
        lines.iter().map(|(_, text)| *text).collect::<Vec<_>>(),
        [" | === UTF/CLM Health Check ===", " | Status: services=OK, growth=OK, clm=OK", " | === OVERALL: HEALTHY ===",]
    );
    for (at, _) in lines {
        assert!(chrono::NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S").is_ok(), "{at}");
    }
    let verbose = bed.out(&["health", "--verbose"]);
    for component in ["COMPONENT", "journal", "store", "rules", "disk", "task:feed"] {
        assert!(verbose.lines().any(|line| line.split_whitespace().next() == Some(component)), "{verbose}");
    }
    let json = bed.json(&["health"]);
    assert_eq!(json["overall"], "healthy");
    assert!(json["components"].as_array().unwrap().iter().all(|component| component["since"].is_string()), "{json}");
}

#[test]
fn without_a_daemon_health_is_degraded() {
    let bed = Bed::for_daemon("");
    let (code, out, err) = bed.run(&["health"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.contains(" | Status: services=FAIL, growth=WARN, clm=FAIL\n"), "{out}");
    assert!(out.ends_with(" | === OVERALL: DEGRADED ===\n"), "{out}");
    let (code, out, _) = bed.run(&["health", "--verbose"]);
    assert!(code == 1 && out.contains("no daemon answers"), "{out}");
    let (code, out, _) = bed.run(&["health", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["overall"].as_str()), (1, Some("degraded")));

    for command in ["events", "counters", "intents", "models", "jobs", "status", "user", "token", "session", "audit"] {
        let (code, out, err) = bed.run(&[command]);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{command}: {err}");
        assert!(err.contains("no daemon answers at") && err.contains("systemctl start quantum-clm"), "{err}");
    }
}

#[test]
fn over_tcp_only_health_and_metrics_answer() {
    let (_bed, serving) = demo("");
    let (status, body) = serving.request("GET", "/health");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, body["status"].as_str(), body["service"].as_str()),
        (200, Some("healthy"), Some("quantum-clm"))
    );
    let component = &body["components"]["store"];
    assert_eq!(component.as_object().unwrap().keys().collect::<Vec<_>>(), ["since", "state"], "no texts for anybody");
    let (status, body) = serving.request("GET", "/metrics");
    assert!(status == 200 && body.contains("\nquantum_clm_events_stored_total "), "{body}");

    for (method, path) in [
        ("GET", "/api/events"),
        ("GET", "/api/events/follow"),
        ("GET", "/api/counters"),
        ("GET", "/api/intents"),
        ("GET", "/api/status"),
        ("GET", "/api/health"),
        ("POST", "/api/health/checks"),
        ("POST", "/api/intents/1/ack"),
    ] {
        let (status, body) = serving.request(method, path);
        assert!(status == 401 && body.contains("\"detail\""), "{method} {path}: {status} {body}");
    }
    let (status, body) = serving.request("GET", "/");
    assert_eq!((status, body.as_str()), (303, ""), "a page leads a stranger to the sign-in");
    for path in ["/api", "/api/nothing", "/health/x"] {
        let (status, body) = serving.request("GET", path);
        assert!([401, 404].contains(&status) && body.contains("\"detail\""), "{path}: {status} {body}");
    }
}

#[test]
fn events_by_every_filter() {
    let (bed, _serving) = demo("");
    let events = |arguments: &[&str]| -> Vec<Value> {
        let mut answer = bed.json(&[&["events", "-n", "300"], arguments].concat());
        serde_json::from_value(answer["events"].take()).unwrap()
    };
    let all = events(&[]);
    assert_eq!(all.len(), 300);
    let ids: Vec<_> = all.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an event twice");

    let some =
        |key: &str| all.iter().find_map(|event| event[key].as_str()).unwrap_or_else(|| panic!("no {key}")).to_owned();
    let (unit, symbol, decision, id) = (some("unit"), some("symbol"), some("decision"), some("correlation_id"));
    for (flag, key, value) in [
        ("--unit", "unit", &unit),
        ("--symbol", "symbol", &symbol),
        ("--decision", "decision", &decision),
        ("--correlation-id", "correlation_id", &id),
    ] {
        let found = events(&[flag, value]);
        assert!(!found.is_empty() && found.iter().all(|event| event[key] == **value), "{flag} {value}: {found:?}");
    }
    let message = some("message");
    let word = message.split_whitespace().max_by_key(|word| word.len()).unwrap();
    let found = events(&["--grep", word]);
    assert!(!found.is_empty() && found.iter().all(|event| event["message"].as_str().unwrap().contains(word)));
    let bad = events(&["--level", "warning"]);
    assert!(
        !bad.is_empty() && bad.iter().all(|event| event["level"].as_str().unwrap().parse::<u8>().unwrap() <= 4),
        "{bad:?}"
    );
    assert!(events(&["--until", "2000-01-01"]).is_empty());
    let since = events(&["--since", "-90m"]);
    assert!(!since.is_empty());

    // A cursor goes on where a page ended.
    let page = bed.json(&["events", "-n", "5", "--until", "-1h"]);
    let next = page["next"].as_str().unwrap();
    let more = bed.json(&["events", "-n", "5", "--until", "-1h", "--cursor", next]);
    let last = |page: &Value| page["events"][4]["id"].as_str().unwrap().to_owned();
    assert_ne!(last(&page), last(&more));
    let (code, _, err) = bed.run(&["events", "--cursor", "nonsense"]);
    assert_eq!((code, err.as_str()), (2, "quantum-clm: cursor: not the `next` of an answer\n"));

    let out = bed.out(&["events", "-n", "3"]);
    assert!(out.lines().count() == 3 && !out.contains('\x1b'), "{out}");
}

#[test]
fn follow_goes_on_until_the_daemon_stops() {
    let (bed, serving) = demo("");
    let mut follow = bed.command(&["events", "--follow", "--json", "-n", "2"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut last = String::new();
    for _ in 0..8 {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        assert!(id.len() > last.len() || id > last, "{id} after {last}");
        last = id;
    }
    serving.stop();
    assert!(lines.all(|line| line.is_ok()));
    assert_eq!(follow.wait().unwrap().code(), Some(0));
}

#[test]
fn counters_add_up_to_the_events() {
    let (bed, _serving) = demo("");
    let counters = |arguments: &[&str]| -> Vec<Value> {
        let mut answer = bed.json(&[&["counters", "--since", "-1d"], arguments].concat());
        serde_json::from_value(answer["counters"].take()).unwrap()
    };
    let sum = |counters: &[Value]| counters.iter().map(|counter| counter["count"].as_u64().unwrap()).sum::<u64>();
    let before = bed.json(&["status"])["events"].as_u64().unwrap();
    let units = counters(&["--kind", "unit"]);
    let after = bed.json(&["status"])["events"].as_u64().unwrap();
    assert!((before..=after).contains(&sum(&units)), "{before} {} {after}", sum(&units));

    let symbols = counters(&["--kind", "symbol"]);
    let name = symbols[0]["name"].as_str().unwrap();
    let one = counters(&["--kind", "symbol", "--name", name]);
    assert!(!one.is_empty() && one.iter().all(|counter| counter["name"] == name && counter["kind"] == "symbol"));
    assert!(sum(&counters(&["--kind", "errors"])) < sum(&units));
    assert!(bed.out(&["counters"]).starts_with("HOUR (UTC)  KIND"));
    let (code, _, err) = bed.run(&["counters", "--kind", "colour"]);
    assert!(code == 2 && err.contains("use unit, symbol or errors"), "{err}");
}

#[test]
fn an_intent_is_acknowledged_and_resolved() {
    let (bed, _serving) = demo("rules.error_rate.threshold_per_hour = 1\n");
    let intent = wait_for_some(
        || bed.json(&["intents", "--state", "open"])["intents"].get(0).cloned(),
        || "an intent is open".to_owned(),
    );
    let id = intent["id"].as_u64().unwrap().to_string();
    assert_eq!(bed.json(&["intents", "show", &id])["id"], intent["id"]);
    assert!(bed.out(&["intents"]).starts_with("ID"));

    let acknowledged = bed.json(&["intents", "ack", &id, "--why", "I look into it"]);
    assert_eq!(acknowledged["state"], "acknowledged");
    assert_eq!(acknowledged["acknowledged"]["why"], "I look into it");
    let text = bed.out(&["intents", "resolve", &id, "--why", "a test"]);
    assert!(text.contains(&format!("intent {id}: ")) && text.contains(": a test"), "{text}");
    let (code, _, err) = bed.run(&["intents", "resolve", &id, "--why", "again"]);
    assert!(code == 2 && err.lines().count() == 1 && err.contains("resolved"), "{err}");
    let (code, _, err) = bed.run(&["intents", "show", "999999"]);
    assert_eq!((code, err.as_str()), (2, "quantum-clm: there is no intent 999999\n"));
}

#[test]
fn status_in_words() {
    let (bed, _serving) = demo("");
    let out = bed.out(&["status"]);
    let names: Vec<_> = out.lines().map(|line| line[..17].trim_end()).collect();
    assert_eq!(
        names,
        [
            "version",
            "started",
            "data file",
            "size",
            "events",
            "this hour",
            "last hour",
            "last event",
            "journal read to",
            "rules know up to",
            "mirror lag",
            "intents open",
            "gaps"
        ]
    );
    assert!(out.contains("no mirror"), "{out}");
}

#[test]
fn the_demo_says_how_to_look_around() {
    let bed = Bed::new();
    let mut command = bed.command(&["demo"]);
    command.env("QUANTUM_CLM_HTTP_LISTEN", "127.0.0.1:0");
    let serving = bed.start(command);
    let ask = wait_for_some(
        || {
            let log = serving.log();
            log.contains("Ctrl-C stops it").then_some(log)
        },
        || format!("the demo says how: {}", serving.log()),
    );
    let socket = ask.split_once("--socket ").unwrap().1.split(' ').next().unwrap().to_owned();
    assert!(socket.starts_with(bed.path().to_str().unwrap()), "{socket}");
    for command in [&["health", "--verbose"][..], &["counters", "--since", "-1h"], &["intents"], &["events"]] {
        assert!(ask.contains(&format!("--socket {socket} {}", command[0])), "{ask}");
        let (code, out, err) = bed.run(&[&["--socket", &socket], command].concat());
        assert!(code == 0 || command[0] == "health", "{command:?}: {out} {err}");
    }
    serving.stop();
}

#[test]
fn the_demo_takes_events_of_programs() {
    let (bed, serving) = demo("");
    let body = r#"{"unit": "own.service", "message": "order filled: BTCUSDT BUY", "fields": {"order_id": "a-41"}}"#;
    let headers = [("content-type", "application/json"), ("idempotency-key", "a-41")];
    let answer = ask(&bed.socket(), "POST", "/api/events", &headers, body).expect("an answer");
    assert_eq!(answer.status, 202, "{answer:?}");
    let found = bed.json(&["events", "--unit", "own.service", "--grep", "a-41"]);
    let event = &found["events"][0];
    assert_eq!((&event["id"], &event["fields"]["order_id"]), (&answer.json()["ids"][0], &"a-41".into()), "{found}");
    assert_eq!((event["symbol"].as_str(), event["decision"].as_str()), (Some("BTCUSDT"), Some("BUY")), "{found}");
    serving.stop();
}
