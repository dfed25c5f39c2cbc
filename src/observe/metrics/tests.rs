use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn metrics() -> Metrics {
    let board = StatusBoard::new();
    board.reporter("journal").ok("reads");
    board.reporter("task:mirror").restarted();
    let metrics = Metrics::new(board, "1.2.3", "abcdef", Micros(1_768_621_566_500_000));
    metrics.stored("ai_engine", 3);
    metrics.stored("od\"d\nsource", 2);
    metrics.mirror_lag_events.set(7);
    metrics.webhook_delivery("ops", "delivered");
    metrics.webhook_waiting("ops", 4);
    metrics.jobs.stand(crate::domain::job::JobState::Running, 2);
    metrics.bus_message("model.drift_detected", "taken");
    metrics.bus_group("model.drift_detected", 1, 0);
    let dropped = crate::domain::schedule::Decision::Dropped { why: String::new() };
    metrics.schedule.decided(crate::domain::job::Trigger::DriftDetected, &dropped);
    metrics
}

/// The families by name, as (type, sample lines), with the rules of the text format checked on the way.
fn families(text: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let mut families: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut helped: Option<String> = None;
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty(), "{line}");
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "TYPE without its HELP: {line}");
            current = name.to_owned();
            assert!(families.insert(current.clone(), (kind.to_owned(), Vec::new())).is_none(), "twice: {name}");
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let name = &line[..line.find(['{', ' ']).unwrap()];
            assert_eq!(name, current, "a sample outside its family: {line}");
            families.get_mut(name).unwrap().1.push(line.to_owned());
        }
    }
    families
}

#[test]
fn plain_text_follows_the_naming_rules() {
    let families = families(&metrics().render(Exposition::PlainText));
    for (name, (kind, samples)) in &families {
        assert!(name.starts_with("quantum_clm_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert!(matches!(kind.as_str(), "counter" | "gauge"), "{name}: {kind}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}: {kind}");
        let distinct: BTreeSet<_> = samples.iter().map(|sample| sample.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(distinct.len(), samples.len(), "{samples:?}");
        for sample in samples {
            sample.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
        }
        assert!(!samples.is_empty(), "{name}");
    }
    let names: Vec<_> = families.keys().map(|name| name.strip_prefix("quantum_clm_").unwrap()).collect();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn values_and_labels() {
    let text = metrics().render(Exposition::PlainText);
    for line in [
        "quantum_clm_events_stored_total 5",
        "quantum_clm_source_events_stored_total{source=\"ai_engine\"} 3",
        "quantum_clm_source_events_stored_total{source=\"od\\\"d\\nsource\"} 2",
        "quantum_clm_mirror_lag_events 7",
        "quantum_clm_webhook_deliveries_total{webhook=\"ops\",outcome=\"delivered\"} 1",
        "quantum_clm_webhook_waiting_events{webhook=\"ops\"} 4",
        "quantum_clm_build_info{version=\"1.2.3\",commit=\"abcdef\"} 1",
        "quantum_clm_start_time_seconds 1768621566.5",
        "quantum_clm_component_state{component=\"journal\",state=\"ok\"} 1",
        "quantum_clm_component_state{component=\"journal\",state=\"failed\"} 0",
        "quantum_clm_component_restarts_total{component=\"task:mirror\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let resident =
        text.lines().find_map(|line| line.strip_prefix("quantum_clm_process_resident_memory_bytes ")).unwrap();
    assert!(resident.parse::<u64>().unwrap() > 100_000, "{resident}");
}

#[test]
fn open_metrics_only_on_request() {
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
    assert_eq!(Exposition::accepted(accept), Exposition::OpenMetrics);
    assert_eq!(Exposition::accepted("*/*"), Exposition::PlainText);
    let text = metrics().render(Exposition::OpenMetrics);
    assert!(text.ends_with("# EOF\n"));
    assert!(text.contains("# TYPE quantum_clm_events_stored counter\nquantum_clm_events_stored_total 5\n"), "{text}");
}
