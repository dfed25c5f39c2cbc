//! Intents from the line in the journal to the person who resolves them.

use quantum_clm::store::{AuditFilter, Store};
use serde_json::{Value, json};

use super::{HOUR, error_line, hour_of, intent_messages, this_hour};
use crate::support::daemon::Bed;
use crate::support::journal::{JournalWriter, Line, START};
use crate::support::redis::RedisServer;
use crate::support::wait_for;

const UNIT: &str = "quantum-risk-brain.service";

fn intents(bed: &Bed) -> Vec<Value> {
    bed.run(&["intents", "--json"]).json()["intents"].as_array().unwrap().clone()
}

#[test]
fn opened_told_acknowledged_resolved() {
    let mut redis = RedisServer::started(&[]);
    let bed = Bed::new(&redis.url(), &["events.commit_interval = \"50ms\"", "redis.consumer = \"host-1\""]);
    let mut writer = JournalWriter::new(&bed.journal());
    writer.clock = this_hour();
    let mut daemon = bed.start();
    let mut events = 0;
    // Up to the threshold, over it, over one and a half of it, and on: each in commits of their own.
    for (count, severity) in
        [(20, None), (1, Some("medium")), (9, Some("medium")), (1, Some("high")), (40, Some("high"))]
    {
        for number in 0..count {
            writer.append([error_line(UNIT, &format!("limit check failed {number}")), Line::new(UNIT, "all is well")]);
        }
        events += count * 2;
        daemon.wait_events(events);
        let intents = intents(&bed);
        assert_eq!(intents.first().map(|intent| intent["severity"].as_str().unwrap()), severity, "at {events} events");
        assert!(intents.len() <= 1, "{intents:?}");
    }
    let intent = &intents(&bed)[0];
    let window = hour_of(this_hour());
    let expected = json!({"state": "open", "severity": "high", "rule": "error_rate", "subject_kind": "unit", "subject": UNIT,
        "count": 71, "threshold": 20, "reason": "High error rate: 71 errors/hour", "suggested_action": "investigate"});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(intent[key], *value, "{key} of {intent}");
    }
    let id = intent["id"].to_string();

    wait_for("both messages", || intent_messages(&mut redis).len() >= 2);
    let messages = intent_messages(&mut redis);
    let message = |severity: &str, count: u64, line: u64| {
        // The last of the errors that made it: every other line is one.
        let ts = (this_hour() + (line * 2 - 1) * 1_000) / 1_000_000;
        json!({"ts": ts, "reason": format!("High error rate: {count} errors/hour"), "unit": UNIT, "symbol": null,
            "severity": severity, "suggested_action": "investigate", "consumer": "host-1"})
    };
    assert_eq!(messages, [message("medium", 21, 21), message("high", 31, 31)], "in the hour {window}");

    let said = bed.run(&["intents", "ack", &id, "--why", "looking at it", "--json"]);
    assert_eq!((said.code, &said.json()["state"]), (Some(0), &json!("acknowledged")), "{said:?}");
    let again = bed.run(&["intents", "ack", &id, "--why", "me too"]);
    assert_eq!((again.code, again.out.as_str()), (Some(2), ""), "{again:?}");
    assert!(again.err.starts_with("quantum-clm: ") && again.err.contains("acknowledged"), "{again:?}");
    let said = bed.run(&["intents", "resolve", &id, "--why", "limits were raised", "--json"]);
    let resolved = said.json();
    assert_eq!((said.code, &resolved["state"]), (Some(0), &json!("resolved")), "{said:?}");
    let who = resolved["acknowledged"]["by"].as_str().unwrap().to_owned();
    assert!(!who.is_empty());
    assert_eq!(resolved["acknowledged"]["why"], "looking at it");
    assert_eq!(
        (&resolved["resolved"]["by"], &resolved["resolved"]["why"]),
        (&json!(who), &json!("limits were raised"))
    );
    let said = bed.run(&["intents", "resolve", &id, "--why", "once more"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = bed.run(&["intents", "ack", "999", "--why", "no such"]);
    assert!(said.code == Some(2) && said.err.contains("no intent 999"), "{said:?}");

    daemon.stop();
    assert_eq!(intent_messages(&mut redis).len(), 2, "neither verdict is a message");
    let store = Store::open(bed.data_file()).unwrap();
    let (mut records, _) = store.audit(&AuditFilter::default(), u64::MAX, 10).unwrap();
    assert_eq!(store.verify_audit().unwrap().map(|head| head.count), Ok(2));
    store.close();
    records.reverse();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.by.as_str(), record.action.as_str(), record.subject.as_str(), record.why.as_str()))
        .collect();
    let subject = format!("intent {id}");
    assert_eq!(
        told,
        [
            (who.as_str(), "intent.acknowledge", subject.as_str(), "looking at it"),
            (who.as_str(), "intent.resolve", subject.as_str(), "limits were raised"),
        ]
    );
}

/// In the past: the hours are those of the events, and the appliance's clock is years ahead of them.
#[test]
fn a_quiet_hour_resolves() {
    let bed = Bed::new("", &["events.commit_interval = \"50ms\""]);
    let mut writer = JournalWriter::new(&bed.journal());
    let hour = START - START % HOUR;
    let errors = |writer: &mut JournalWriter, at: u64, count: u64| {
        writer.clock = at;
        for number in 0..count {
            writer.append([error_line(UNIT, &format!("failed {number}"))]);
        }
    };
    errors(&mut writer, hour, 25);
    // Still too many, so the first intent stays open beyond it; then at the threshold, which is quiet.
    errors(&mut writer, hour + HOUR, 40);
    errors(&mut writer, hour + 2 * HOUR, 20);
    errors(&mut writer, hour + 3 * HOUR, 1);
    writer.sync();
    let mut daemon = bed.start();
    daemon.wait_events(86);
    daemon.wait("the clock passes", |status| status["intents_open"] == 0);
    let intents = intents(&bed);
    let told: Vec<_> = intents.iter().map(|intent| (&intent["severity"], &intent["count"], &intent["state"])).collect();
    let (medium, high, resolved) = (json!("medium"), json!("high"), json!("resolved"));
    assert_eq!(told, [(&high, &json!(40), &resolved), (&medium, &json!(25), &resolved)]);
    for intent in &intents {
        let note = &intent["resolved"];
        let why = format!("20 errors in the hour {}, not more than 20", hour_of(hour + 2 * HOUR));
        assert_eq!((&note["by"], &note["why"]), (&json!("rule"), &json!(why)), "{note}");
    }
    daemon.stop();
}
