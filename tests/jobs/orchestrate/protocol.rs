//! The same over HTTP: what is no report at all, and what an operator sees of a hook.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use quantum_clm::domain::job::{Ending, Failure, FailureKind, JobId, ReportAnswer, StepEnd};
use serde_json::{Value, json};

use super::super::bed::report;
use super::programs::FILES;
use super::wire::{Wire, answer, digest};
use crate::support::{DEADLINE, wait_for_some};

/// The status of a request that announces `length` bytes and begins to send.
fn announced(wire: &Wire, path: &str, length: u64) -> String {
    let mut stream = UnixStream::connect(wire.bed.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let body = "content-type: application/json\r\ncontent-length";
    stream.write_all(format!("{head}{body}: {length}\r\n\r\n{{\"epoch\": 1, ").as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Where each step of a job stands.
fn steps(wire: &mut Wire, id: JobId) -> Vec<Value> {
    let job = wire.get(&format!("/api/jobs/{id}"));
    job["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect()
}

#[test]
fn what_is_no_report_is_refused_and_nothing_changes() {
    let mut wire = Wire::new(&[], &[]);
    wire.train("btcusdt");
    let first = wire.lease();
    let path = format!("/api/work/jobs/{}/report", first.job);
    let whole = serde_json::to_string(&report(&first, answer(&first))).unwrap();
    let half = whole[..whole.len() / 2].to_owned();
    let nan = whole.replace("4344", "NaN");
    let endless = whole.replace("4344", "1e999");
    let deep = whole.replace("4344", &("[".repeat(200) + &"]".repeat(200)));
    let of_nobody = whole.replace("\"done\"", "\"perhaps\"");
    let headers = [("content-type", "application/json")];
    let id = first.job;
    let before = steps(&mut wire, id);
    for (what, body) in [("half", half), ("NaN", nan), ("1e999", endless), ("deep", deep), ("outcome", of_nobody)] {
        assert_ne!(body, whole, "{what}");
        let answer = wire.ask("POST", &path, &headers, body.as_bytes());
        assert!([400, 422].contains(&answer.status) && answer.body.contains("detail"), "{what}: {answer:?}");
    }
    // Small enough, and many times of that in memory once it is read.
    let many = whole.replace("4344", &format!("[1{}]", ",1".repeat(1_500_000)));
    let told = wire.ask("POST", &path, &headers, many.as_bytes());
    assert!(told.status == 422 && told.body.contains("more than 1500000 values"), "{told:?}");
    assert_eq!(announced(&wire, &path, 200 << 20), "HTTP/1.1 413");
    assert_eq!(steps(&mut wire, id), before);
    assert!(
        matches!(wire.report(&first, answer(&first)), ReportAnswer::Run { .. }),
        "it goes on as if nothing had been"
    );
}

#[test]
fn files_that_were_not_trained_or_are_not_what_they_were_said_to_be_are_refused() {
    let mut wire = Wire::new(&[], &[]);
    wire.train("btcusdt");
    let first = wire.lease();
    let ReportAnswer::Run { assignment } = wire.report(&first, answer(&first)) else { panic!("no program") };
    let job = first.job;
    let put = |wire: &mut Wire, epoch: u64, path: &str, sha256: &str, content: &[u8]| {
        let at = format!("/api/work/jobs/{job}/artifacts/{path}?epoch={epoch}&sha256={sha256}");
        let answer = wire.ask("PUT", &at, &[], content);
        (answer.status, answer.body)
    };
    let known = digest(FILES[0]).to_string();
    let early = put(&mut wire, 1, FILES[0], &known, FILES[0].as_bytes());
    assert!(early.0 == 409 && early.1.contains("has no version yet"), "{early:?}");
    assert!(matches!(wire.report(&assignment, answer(&assignment)), ReportAnswer::Upload { .. }));
    let other = put(&mut wire, 1, "other.bin", &digest("other.bin").to_string(), b"other.bin");
    assert!(other.0 == 409 && other.1.contains("what was trained has no such file"), "{other:?}");
    let changed = put(&mut wire, 1, FILES[0], &digest("changed").to_string(), b"changed");
    assert!(changed.0 == 409 && changed.1.contains("other content"), "{changed:?}");
    let damaged = put(&mut wire, 1, FILES[0], &known, b"damaged on the way");
    assert_eq!(damaged.0, 400, "{damaged:?}");
    for path in ["..%2Fescape", "%2E%2E/%2E%2E/escape", "%2Fetc%2Fpasswd"] {
        let outside = put(&mut wire, 1, path, &known, FILES[0].as_bytes());
        assert!([400, 404, 409, 422].contains(&outside.0), "{path}: {outside:?}");
    }
    let stale = put(&mut wire, 7, FILES[0], &known, FILES[0].as_bytes());
    assert!(stale.0 == 409 && stale.1.contains("lease 7"), "{stale:?}");
    assert_eq!(put(&mut wire, 1, FILES[0], &known, FILES[0].as_bytes()).0, 201);
    let left = json!([FILES[1]]);
    let asked = wire.post(&format!("/api/work/jobs/{job}/continue"), &json!({ "epoch": 1 })).json();
    assert_eq!((&asked["next"], &asked["paths"]), (&json!("upload"), &left), "{asked}");
}

/// What health says of the hook.
fn hook_component(wire: &mut Wire) -> Value {
    let health = wire.get("/api/health");
    let components = health["components"].as_array().unwrap();
    components.iter().find(|component| component["name"] == "promotion-hook").cloned().unwrap_or_default()
}

#[test]
fn a_hook_that_fails_is_in_health_and_in_the_list_until_it_was_done_again() {
    let settings = [
        "promotion.auto_production = true",
        "promotion.require_shadow = false",
        "promotion.hook = [\"/usr/local/bin/reload\"]",
    ];
    let mut wire = Wire::new(&settings, &[]);
    wire.train("btcusdt");
    assert_eq!(wire.work().1, Ending::Completed);
    let runs = wire.lease();
    let why = "it ended with exit code 3".to_owned();
    let failed = StepEnd::Failed { failure: Failure { kind: FailureKind::Program, why } };
    let over = ReportAnswer::Over { ending: Ending::Failed };
    assert_eq!(wire.report(&runs, failed), over);
    let listed = wire.get("/api/hooks?state=failed");
    let row = &listed["hooks"][0];
    assert_eq!((&row["job"], &row["why"]), (&json!(runs.job), &json!("it ended with exit code 3")), "{listed}");
    let is = |wire: &mut Wire, state: &str| {
        wait_for_some(
            || Some(hook_component(wire)).filter(|component| component["state"] == state),
            || format!("health does not say {state} of the hook"),
        )
    };
    let shown = is(&mut wire, "warn").to_string();
    for part in [runs.job.to_string().as_str(), "exit code 3", "retry the job"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let retried = wire.post(&format!("/api/jobs/{}/retry", runs.job), &Value::Null);
    assert_eq!(retried.status, 201, "{retried:?}");
    let listed = wire.get("/api/hooks?state=pending");
    assert_eq!(listed["hooks"][0]["job"], retried.json()["job_id"], "{listed}");
    assert_eq!(wire.work().1, Ending::Completed);
    is(&mut wire, "ok");
    assert_eq!(wire.get("/api/hooks?state=done")["hooks"].as_array().unwrap().len(), 1);
}
