//! Death in the middle of a change of production: after the next start the data file, the pointer on the disk, the hook
//! that is due and the messages for the bus say the same, and what the pointer leads to is whole.

use std::os::unix::process::ExitStatusExt as _;

use quantum_clm::store::{OutboxKind, Store};
use serde_json::{Value, json};

use crate::support::ask::{Answer, ask};
use crate::support::daemon::{Bed, Daemon};
use crate::support::models::{MODEL, file, registered};
use crate::support::wait_for;

const SIGABRT: i32 = 6;

const VERSIONS: [&str; 6] = ["v0", "v1", "v2", "v3", "v4", "v5"];

/// What whoever loads the model from the disk finds.
fn deployed(bed: &Bed) -> Option<String> {
    let pointer = bed.data_file().parent().unwrap().join("production").join(MODEL);
    let name = std::fs::read_to_string(pointer.join("name")).ok()?;
    assert_eq!(std::fs::read_to_string(pointer.join("deep/er/scaler")).unwrap(), "the same", "{name} is not whole");
    Some(name)
}

fn model(path: &str) -> String {
    format!("/api/models/{MODEL}{path}")
}

/// What the daemon answers; `None` where it dies over it.
fn post(bed: &Bed, path: &str, body: &Value) -> Option<Answer> {
    ask(&bed.socket(), "POST", path, &[("content-type", "application/json")], body.to_string())
}

fn promote(bed: &Bed, version: &str) -> Option<Answer> {
    let body = json!({ "why": "whether it dies in the middle of it", "force": true });
    post(bed, &model(&format!("/versions/{version}/promote")), &body)
}

fn roll_back(bed: &Bed) -> Option<Answer> {
    post(bed, &model("/rollback"), &json!({ "target": "before", "why": "whether it dies in the middle of it" }))
}

fn in_production(daemon: &Daemon) -> Option<String> {
    let (status, found) = daemon.ask("GET", &model(""), &Value::Null);
    assert_eq!(status, 200, "{found}");
    found["production"]["version"].as_str().map(str::to_owned)
}

/// Promotes one version after the other, and goes back and forth between them, until the daemon dies at `place`.
#[track_caller]
fn dies_at(place: &str, passed: u32) {
    let bed = Bed::new("", &["promotion.hook = [\"/bin/true\"]"]);
    registered(&bed, &VERSIONS);
    let daemon = bed.start();
    for version in VERSIONS {
        for (path, content) in [("name", version), ("deep/er/scaler", "the same")] {
            assert_eq!(ask(&bed.socket(), "PUT", &file(version, path), &[], content).expect("an answer").status, 201);
        }
    }
    assert_eq!(promote(&bed, "v0").expect("an answer").status, 200);
    daemon.stop();

    let action = if passed == 0 { "return".to_owned() } else { format!("{passed}*off->return") };
    let mut daemon = bed.spawn(&format!("{place}={action}"));
    wait_for("it answers or dies", || daemon.has_ended() || daemon.status().is_some());
    let mut under_way = Vec::new();
    let mut had = deployed(&bed);
    'alive: for version in &VERSIONS[1..] {
        // There and back: each passes the place.
        let before = deployed(&bed);
        for to in [Some((*version).to_owned()), before.clone()] {
            let answer = if to == before { roll_back(&bed) } else { promote(&bed, version) };
            match answer {
                Some(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
                None => {
                    under_way = vec![to, had];
                    break 'alive;
                }
            }
            assert_eq!(deployed(&bed), to, "the answer came before the pointer was there");
            had = to;
        }
    }
    wait_for("it dies", || daemon.has_ended());
    let status = daemon.wait_end();
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");

    let daemon = bed.start();
    let now = in_production(&daemon);
    assert_eq!(deployed(&bed), now, "pointer and data file after the start");
    assert!(under_way.contains(&now), "{now:?} is neither what was nor what was to be: {under_way:?}");
    let (_, hooks) = daemon.ask("GET", "/api/hooks?state=pending", &Value::Null);
    let due: Vec<_> = hooks["hooks"].as_array().unwrap().iter().map(|hook| hook["version"].as_str()).collect();
    assert_eq!(due, [now.as_deref()], "the hook that is due");
    let (_, history) = daemon.ask("GET", &model("/history?limit=1000"), &Value::Null);
    let leftovers = std::fs::read_dir(bed.data_file().parent().unwrap().join("production")).unwrap();
    assert_eq!(leftovers.count(), 1, "a half-made pointer is left");
    daemon.stop();

    let steps = history["history"].as_array().unwrap_or_else(|| panic!("{history}"));
    let changes = steps.iter().filter(|step| ["promoted", "rolled_back"].contains(&step["step"].as_str().unwrap()));
    let messages = Store::open(bed.data_file()).unwrap().outbox_after(0, 10_000).unwrap();
    let told = messages.iter().filter(|message| {
        let says = |what: &str| message.payload.contains(what);
        message.kind == OutboxKind::Bus && (says("clm.model_promoted") || says("clm.model_rollback"))
    });
    assert_eq!(told.count(), changes.count(), "one message a change: {history}");
}

#[test]
fn after_the_commit_of_a_promotion() {
    dies_at("registry.promote.committed", 1);
}

#[test]
fn after_the_commit_of_a_rollback() {
    dies_at("registry.rollback.committed", 1);
}

#[test]
fn before_the_pointer_is_looked_at() {
    dies_at("deploy.begin", 3);
}

#[test]
fn when_the_versions_directory_is_half_made() {
    dies_at("deploy.linked", 1);
}

#[test]
fn between_the_new_pointer_and_its_name_on_a_promotion() {
    dies_at("deploy.half", 2);
}

#[test]
fn between_the_new_pointer_and_its_name_on_a_rollback() {
    dies_at("deploy.half", 1);
}

#[test]
fn before_the_pointer_is_on_disk_on_a_promotion() {
    dies_at("deploy.renamed", 0);
}

#[test]
fn before_the_pointer_is_on_disk_on_a_rollback() {
    dies_at("deploy.renamed", 1);
}

#[test]
fn before_the_answer() {
    dies_at("deploy.synced", 2);
}

#[test]
fn around_some_commit() {
    dies_at("store.commit.before", 4);
    dies_at("store.commit.after", 4);
}
