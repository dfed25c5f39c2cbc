//! Jobs that went on after the backup: what workers say of them is refused, and nothing is done twice unnoticed.

use std::path::Path;

use serde_json::{Value, json};

use super::{backup, restored};
use crate::support::ask::{Answer, ask};
use crate::support::daemon::{Bed, Daemon};
use crate::support::wait_for_some;
use crate::support::work::{Trainer, data_result, done, report};

const QUICK: [&str; 3] = ["jobs.heartbeat = \"1s\"", "jobs.fence = \"1s\"", "jobs.backoff = \"1s\""];

fn post(socket: &Path, path: &str, body: &Value) -> Answer {
    ask(socket, "POST", path, &[("content-type", "application/json")], body.to_string()).expect("an answer")
}

#[track_caller]
fn train(bed: &Bed, symbol: &str) -> String {
    let said = bed.run(&["train", "xgboost", "--symbol", symbol]);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out.split(' ').next().unwrap().to_owned()
}

fn beat(epoch: u64) -> Value {
    json!({ "epoch": epoch, "resources": { "output_bytes": 0 } })
}

/// The worker is told that it has nothing to do with the job, so that it ends its processes.
#[track_caller]
fn assert_stale(bed: &Bed, job: &str, words: &[(&str, Value)]) {
    for (path, body) in words {
        let answer = post(&bed.socket(), &format!("/api/work/jobs/{job}/{path}"), body);
        assert!([404, 409].contains(&answer.status), "{job} {path}: {answer:?}");
        assert_eq!(answer.json()["code"], "stale", "{job} {path}: {answer:?}");
    }
}

fn state(daemon: &Daemon, job: &str) -> String {
    let (_, job) = daemon.ask("GET", &format!("/api/jobs/{job}"), &Value::Null);
    job["state"].as_str().unwrap_or_default().to_owned()
}

fn leased(trainer: &Trainer) -> Value {
    wait_for_some(|| Some(trainer.lease()).filter(|lease| !lease.is_null()), || "no job is given to anybody".into())
}

#[test]
fn a_late_word_of_a_job_that_is_over_since_is_refused_and_it_is_done_again() {
    let bed = Bed::new("", &QUICK);
    let backups = tempfile::tempdir().unwrap();
    let trainer = Trainer::new(&bed.socket());
    let daemon = bed.start();
    assert_eq!(train(&bed, "BTCUSDT"), "job-1");
    let first = trainer.lease();
    daemon.stop();
    let taken = backup(&bed, backups.path(), &[]);

    // It comes to its end, and another one begins of which the backup knows nothing.
    let daemon = bed.start();
    trainer.complete(&first);
    assert_eq!(train(&bed, "ETHUSDT"), "job-2");
    let second = trainer.lease();
    daemon.stop();

    let said = restored(&bed, &taken, &[]);
    let jobs = json!({ "gone": 1, "done_again": [{ "job": "job-1", "model": "xgboost_btcusdt_1h" }] });
    assert_eq!(said["difference"]["jobs"], jobs);
    assert_eq!(said["difference"]["versions"], json!({ "then": 0, "now": 1 }));
    let daemon = bed.start();
    let of_first = report(&first, &done(data_result(), json!({})));
    let words = [("beat", beat(1)), ("report", of_first), ("continue", json!({ "epoch": 1 }))];
    assert_stale(&bed, "job-1", &words);
    let of_second = report(&second, &done(data_result(), json!({})));
    assert_stale(&bed, "job-2", &[("beat", beat(1)), ("report", of_second)]);
    assert!(["lost", "pending"].contains(&state(&daemon, "job-1").as_str()), "somebody has it");

    // Its number is given to nobody else, and the job goes on under a lease that nobody ever had.
    assert_eq!(train(&bed, "SOLUSDT"), "job-3");
    let mut again = leased(&trainer);
    if again["job"] == "job-3" {
        trainer.complete(&again);
        again = leased(&trainer);
    }
    assert_eq!(again["job"], "job-1", "{again}");
    assert!(again["epoch"].as_u64() > Some(1_000), "{again}");
    assert_stale(&bed, "job-1", &words);
    trainer.complete(&again);
    assert_eq!(state(&daemon, "job-1"), "completed");
    let (_, versions) = daemon.ask("GET", "/api/versions?limit=10", &Value::Null);
    let of = |model: &str| versions["versions"].as_array().unwrap().iter().filter(|v| v["model_id"] == model).count();
    assert_eq!(of("xgboost_btcusdt_1h"), 1, "{versions}");
    daemon.stop();
}

#[test]
fn one_that_waited_is_given_to_nobody_while_a_worker_of_the_time_that_is_gone_may_be_at_it() {
    // With a lease of a minute and as long a fence.
    let bed = Bed::new("", &[]);
    let backups = tempfile::tempdir().unwrap();
    let trainer = Trainer::new(&bed.socket());
    let daemon = bed.start();
    assert_eq!(train(&bed, "BTCUSDT"), "job-1");
    daemon.stop();
    let taken = backup(&bed, backups.path(), &[]);
    let daemon = bed.start();
    let first = leased(&trainer);
    daemon.stop();

    restored(&bed, &taken, &[]);
    let daemon = bed.start();
    assert_eq!(trainer.lease(), Value::Null, "it was given away at once");
    let words = [("beat", beat(1)), ("report", report(&first, &done(data_result(), json!({}))))];
    assert_stale(&bed, "job-1", &words);
    assert_eq!(state(&daemon, "job-1"), "pending");
    daemon.stop();
}
