use super::*;

fn component(name: &str, state: State) -> Component {
    Component {
        name: name.to_owned(),
        state,
        since: Micros(1_768_621_566_000_000),
        summary: "a secret path".to_owned(),
        remedy: None,
        last_error: Some(LastError { at: Micros(0), text: "a secret error".to_owned() }),
        restarts: 0,
        figures: BTreeMap::new(),
    }
}

/// A working feed in which the named components have another state.
fn feed(changes: &[(&str, State)]) -> Vec<Component> {
    let mut states: BTreeMap<&str, State> =
        ["disk", "journal", "mirror", "rules", "store"].map(|name| (name, State::Ok)).into();
    states.extend(changes.iter().copied());
    states.into_iter().map(|(name, state)| component(name, state)).collect()
}

#[test]
fn verdict() {
    use State::{Failed, Off, Starting, Warn};
    type Case = (&'static [(&'static str, State)], Option<u64>, &'static str);
    let cases: &[Case] = &[
        (&[], None, "OK OK OK HEALTHY"),
        (&[], Some(10), "OK OK OK HEALTHY"),
        (&[], Some(9), "OK WARN OK HEALTHY"),
        (&[], Some(0), "OK WARN OK HEALTHY"),
        (&[("journal", Warn)], None, "WARN OK OK HEALTHY"),
        (&[("journal", Starting)], None, "WARN OK OK HEALTHY"),
        (&[("journal", Off)], None, "OK OK OK HEALTHY"),
        (&[("journal", Failed)], None, "FAIL OK OK DEGRADED"),
        (&[("task:journal", Failed)], None, "FAIL OK OK DEGRADED"),
        (&[("store", Failed)], None, "OK OK FAIL DEGRADED"),
        (&[("rules", Failed)], None, "OK OK FAIL DEGRADED"),
        (&[("disk", Failed)], None, "OK OK FAIL DEGRADED"),
        (&[("disk", Warn)], None, "OK OK OK HEALTHY"),
        (&[("task:retention", Failed)], None, "OK OK FAIL DEGRADED"),
        (&[("task:retention", Off)], None, "OK OK OK HEALTHY"),
        (&[("mirror", Off)], None, "OK OK OK HEALTHY"),
        (&[("mirror", Warn)], None, "OK OK OK HEALTHY"),
        (&[("mirror", Failed)], Some(500), "OK WARN OK DEGRADED"),
        (&[("task:mirror", Failed)], None, "OK WARN OK DEGRADED"),
        (&[("journal", Failed), ("store", Failed)], Some(0), "FAIL WARN FAIL DEGRADED"),
    ];
    for (changes, new_events, expected) in cases {
        let Health { services, growth, clm, overall } = assess(&feed(changes), *new_events);
        assert_eq!(format!("{services} {growth} {clm} {overall}"), *expected, "{changes:?} {new_events:?}");
    }
}

#[test]
fn a_component_that_never_reported_has_failed() {
    for (missing, services, clm) in
        [("journal", Mark::Fail, Mark::Ok), ("store", Mark::Ok, Mark::Fail), ("rules", Mark::Ok, Mark::Fail)]
    {
        let components: Vec<_> = feed(&[]).into_iter().filter(|c| c.name != missing).collect();
        let health = assess(&components, None);
        assert_eq!((health.services, health.clm), (services, clm), "{missing}");
        assert_eq!(health.overall, Verdict::Degraded, "{missing}");
    }
}

#[test]
fn three_lines() {
    let now = Micros(1_768_621_566_000_000);
    let lines = assess(&feed(&[]), Some(100)).lines(now);
    assert_eq!(
        lines,
        [
            "2026-01-17 03:46:06 | === UTF/CLM Health Check ===",
            "2026-01-17 03:46:06 | Status: services=OK, growth=OK, clm=OK",
            "2026-01-17 03:46:06 | === OVERALL: HEALTHY ===",
        ]
    );
    let degraded = assess(&feed(&[("store", State::Failed)]), Some(0));
    assert_eq!(degraded.lines(now)[1], "2026-01-17 03:46:06 | Status: services=OK, growth=WARN, clm=FAIL");
    assert_eq!(degraded.lines(now)[2], "2026-01-17 03:46:06 | === OVERALL: DEGRADED ===");
    assert_eq!((assess(&feed(&[]), None).exit_code(), degraded.exit_code()), (0, 1));
}

#[test]
fn the_public_view_has_states_and_no_reasons() {
    let view = PublicHealth::of(&[component("journal", State::Failed)], "1.2.3");
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(
        json,
        r#"{"status":"degraded","service":"quantum-clm","version":"1.2.3","components":{"journal":{"state":"failed","since":"2026-01-17T03:46:06.000Z"}}}"#
    );
}
