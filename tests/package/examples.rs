//! The rules for Prometheus: what its own tool says of them, when they fire, and that each says what to do then.

use std::fs;
use std::process::Command;

use super::{here, succeed};

const RULES: &str = "packaging/prometheus/quantum-clm.rules.yml";

#[test]
fn prometheus_takes_the_rules() {
    let said = succeed(Command::new("promtool").args(["check", "rules"]).arg(here(RULES)));
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn alerts_fire_for_the_machine_that_is_ill_and_for_no_other() {
    succeed(Command::new("promtool").args(["test", "rules"]).arg(here("tests/package/alerts.test.yml")));
}

/// The variables of Grafana stand for what Prometheus gets in their place.
#[test]
fn prometheus_takes_the_dashboards_questions() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(here("packaging/grafana/quantum-clm.json")).unwrap()).unwrap();
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    let targets =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    for (number, target) in targets.enumerate() {
        let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m").replace("$instance", ".*");
        rules.push_str(&format!("  - record: panel_{number}\n    expr: {}\n", serde_json::Value::from(expression)));
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yml");
    fs::write(&file, rules).unwrap();
    succeed(Command::new("promtool").args(["check", "rules"]).arg(file));
}

/// What to do then is in docs/OPERATIONS.md; that each alert has a section there is looked at with that document.
#[test]
fn each_alert_says_how_bad_it_is_and_what_happened() {
    let rules = fs::read_to_string(here(RULES)).unwrap();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    for alert in &alerts {
        let name = alert.lines().next().unwrap();
        let severity = alert.split_once("severity: ").and_then(|(_, rest)| rest.split('}').next());
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{name}: {severity:?}");
        assert!(alert.contains("summary: ") && alert.contains("runbook: "), "{name}");
    }
    assert!(alerts.len() >= 15, "{}", alerts.len());
}
