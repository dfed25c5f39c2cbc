//! The dashboard and the alerts name what the daemon exports, with labels that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use quantum_clm::domain::job::{JobState, Trigger};
use quantum_clm::domain::schedule::Decision;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::{Exposition, Metrics};
use quantum_clm::observe::status::StatusBoard;
use serde_json::Value;

use super::here;

/// What Prometheus adds to everything that it scrapes.
const SCRAPED: [&str; 2] = ["instance", "job"];
/// The product's own list of its metrics: a snapshot that a test of theirs keeps.
const LIST: &str =
    "src/observe/metrics/snapshots/quantum_clm__observe__metrics__tests__plain_text_follows_the_naming_rules.snap";

/// Every metric with the names of its labels. Those that come with the first thing counted are counted once.
fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let board = StatusBoard::new();
    board.reporter("journal").ok("reads");
    board.reporter("journal").restarted();
    let metrics = Metrics::new(board, "1.2.3", "abcdef", Micros(0));
    metrics.stored("ai_engine", 1);
    metrics.webhook_delivery("ops", "delivered");
    metrics.webhook_waiting("ops", 1);
    metrics.jobs.stand(JobState::Running, 1);
    metrics.bus_message("trade.closed", "taken");
    metrics.bus_group("trade.closed", 0, 0);
    metrics.schedule.decided(Trigger::DriftDetected, &Decision::Dropped { why: String::new() });
    let text = metrics.render(Exposition::PlainText);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = rest.strip_prefix('{').map_or("", |rest| rest.split_once('}').unwrap().0);
        let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        found.entry(name.to_owned()).or_default().extend(labels);
    }
    found
}

/// A use of a metric: its name and what stands in braces behind it.
fn uses(expression: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("quantum_clm_") {
        let rest = &expression[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let within = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(within, _)| within);
        found.push((name.to_owned(), within.to_owned()));
    }
    found
}

/// What is wrong with an expression and with the labels that its texts show.
fn faults(expression: &str, texts: &str, exported: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut labels: BTreeSet<String> = SCRAPED.iter().map(|&label| label.to_owned()).collect();
    for (name, within) in uses(expression) {
        let Some(own) = exported.get(&name) else {
            faults.push(format!("{name} is not exported: {expression}"));
            continue;
        };
        labels.extend(own.iter().cloned());
        for matcher in within.split(',').filter(|matcher| !matcher.trim().is_empty()) {
            let label = matcher.trim().split(['=', '!']).next().unwrap();
            if !own.contains(label) && !SCRAPED.contains(&label) {
                faults.push(format!("{name} has no label {label}: {expression}"));
            }
        }
    }
    for shown in texts.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name.trim()) {
        let name = shown.strip_prefix("$labels.").unwrap_or(shown);
        if !name.starts_with("$value") && !labels.contains(name) {
            faults.push(format!("nothing has the label {name}, in {texts:?} of {expression}"));
        }
    }
    faults
}

/// The panels of the dashboard.
fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(here("packaging/grafana/quantum-clm.json")).unwrap()).unwrap()
}

#[test]
fn this_test_knows_all_metrics() {
    let exported = exported();
    let list = fs::read_to_string(here(LIST)).unwrap();
    let names: Vec<_> =
        list.rsplit("---\n").next().unwrap().lines().map(|name| format!("quantum_clm_{name}")).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(exported.contains_key(&name), "{name} is missing in exported(): count it there");
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let (dashboard, exported) = (dashboard(), exported());
    let mut found = Vec::new();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            found.extend(faults(expression, target["legendFormat"].as_str().unwrap_or_default(), &exported));
            shown.extend(uses(expression).into_iter().map(|(name, _)| name));
        }
    }
    let query = dashboard["templating"]["list"][1]["query"].as_str().unwrap();
    found.extend(faults(query, "", &exported));
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Nothing that is counted is counted for nobody.
    let hidden: Vec<_> = exported.keys().filter(|name| !shown.contains(*name)).collect();
    assert!(hidden.is_empty(), "on no panel: {hidden:?}");
}

#[test]
fn the_dashboards_panels_do_not_overlap() {
    let dashboard = dashboard();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeMap::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "twice: {}", panel["id"]);
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            assert!(x < 24, "{} stands out", panel["title"]);
            for y in at("y")..at("y") + at("h") {
                let other = taken.insert((x, y), &panel["title"]);
                assert!(other.is_none(), "{} lies on {}", panel["title"], other.unwrap());
            }
        }
    }
}

#[test]
fn alerts_are_about_what_there_is() {
    let exported = exported();
    let rules = fs::read_to_string(here("packaging/prometheus/quantum-clm.rules.yml")).unwrap();
    let value = |line: &str, key: &str| Some(line.trim().strip_prefix(key)?.trim().trim_matches('"').to_owned());
    let (mut expression, mut found, mut alerts) = (String::new(), Vec::new(), 0);
    for line in rules.lines() {
        if let Some(text) = value(line, "expr:") {
            expression = text;
            alerts += 1;
            found.extend(faults(&expression, "", &exported));
        } else if let Some(summary) = value(line, "summary:") {
            found.extend(faults(&expression, &summary, &exported));
        }
    }
    assert!(alerts >= 15 && found.is_empty(), "{alerts} alerts\n{}", found.join("\n"));
}

#[test]
fn a_slip_is_found() {
    let exported = exported();
    for (expression, texts, part) in [
        ("rate(quantum_clm_events_total[5m])", "", "is not exported"),
        ("quantum_clm_jobs{kind=\"hook\"}", "", "no label kind"),
        ("quantum_clm_jobs{state=\"lost\"}", "{{kind}}", "nothing has the label kind"),
        ("quantum_clm_jobs", "of {{ $labels.unit }}", "nothing has the label unit"),
    ] {
        let found = faults(expression, texts, &exported);
        assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
    }
}
