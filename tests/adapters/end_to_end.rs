//! The learning loop with nothing replaced: a message in a real Redis, the daemon, a worker, the reference adapters, real
//! prices, and in the end a version that was judged, and its event on the bus.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{here, interpreter, prices};
use crate::support::daemon::{Bed, Daemon};
use crate::support::redis::RedisServer;
use crate::support::wait_for_some;

/// What fails a training that takes some ten seconds of one processor: far beyond what a loaded machine takes.
const DEADLINE: Duration = Duration::from_secs(300);

const DRIFT: &str = "quantum:stream:model.drift_detected";

/// The real binary, working.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // What it runs ends by itself, for its lease is not renewed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Daemon and worker with the reference adapters, as docs/ADAPTERS.md configures them.
fn settings(model: &str) -> Vec<String> {
    let python = interpreter();
    let command = |program: &str, options: &[&str]| {
        let program = here("packaging/adapters").join(program);
        let words = [python.to_str().unwrap(), program.to_str().unwrap()];
        json!([&words[..], options].concat()).to_string()
    };
    let prices = prices();
    vec![
        "redis.mirror = \"on\"".into(),
        format!("scheduler.models = [\"{model}\"]"),
        // Nothing but the message is a reason.
        "scheduler.intervals = { xgboost = \"off\", lightgbm = \"off\" }".into(),
        "scheduler.span_days = 3650".into(),
        "worker.name = \"reference\"".into(),
        format!("adapters.default.data = {}", command("ohlcv.py", &["--directory", prices.to_str().unwrap()])),
        format!("adapters.default.train = {}", command("train_gbt.py", &[])),
        format!("adapters.default.evaluate = {}", command("evaluate_walk_forward.py", &["--folds", "4"])),
    ]
}

/// Looks until there is something; fails with what `describe` says when the deadline of a training has passed.
fn wait_long<T>(mut look: impl FnMut() -> Option<T>, describe: impl FnOnce() -> String) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {}", describe());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn get(daemon: &Daemon, path: &str) -> Value {
    let (status, answer) = daemon.ask("GET", path, &json!({}));
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// What a stream of the bus tells, the only entry.
fn told(redis: &mut RedisServer, event_type: &str) -> Value {
    let stream = format!("quantum:stream:{event_type}");
    let entries = wait_for_some(
        || Some(redis.entries(&stream, "payload")).filter(|entries| !entries.is_empty()),
        || format!("{stream} is empty"),
    );
    assert_eq!(entries.len(), 1, "{stream}: {entries:?}");
    serde_json::from_str(entries[0].1.as_deref().expect("a payload")).expect("JSON")
}

#[track_caller]
fn learns_when_it_drifts(model_type: &str, file: &str) {
    let mut redis = RedisServer::started(&[]);
    let model = format!("{model_type}_goog_1d");
    let settings = settings(&model);
    let bed = Bed::new(&redis.url(), &settings.iter().map(String::as_str).collect::<Vec<_>>());
    bed.set(&format!("worker.directory = \"{}\"", bed.data_file().with_file_name("worker").display()));
    let daemon = bed.start();
    let _worker = Worker(bed.command(&["worker"]).stdout(Stdio::null()).spawn().expect("the binary of these tests"));

    // A new group begins at the stream's end, so the message waits for the group.
    wait_for_some(|| (redis.run::<u64>(&["EXISTS", DRIFT]) == 1).then_some(()), || daemon.log());
    let payload = json!({
        "model_id": model, "model_type": model_type, "drift_score": 0.41, "detected_at": "2026-01-17T03:46:06Z",
    });
    let fields = ["event_type", "model.drift_detected", "payload", &payload.to_string(), "trace_id", ""];
    redis.run::<String>(&[&["XADD", DRIFT, "*"], &fields[..]].concat());

    // The trigger, with what was seen and what followed from it.
    let find = || get(&daemon, "/api/triggers")["triggers"].as_array().expect("triggers").first().cloned();
    let trigger = wait_for_some(find, || daemon.log());
    assert_eq!(trigger["model_id"], json!(model), "{trigger}");
    assert_eq!(trigger["reason"], "drift_detected", "{trigger}");
    assert!(trigger["evidence"].as_str().is_some_and(|seen| seen.starts_with("drift score 0.41")), "{trigger}");
    let job_id = trigger["outcome"]["job_id"].as_str().unwrap_or_else(|| panic!("no job: {trigger}")).to_owned();

    // The job, step by step.
    let path = format!("/api/jobs/{job_id}");
    let job = wait_long(
        || Some(get(&daemon, &path)).filter(|job| job["ended_at"].is_string()),
        || format!("{:#}\n{}", get(&daemon, &path), daemon.log()),
    );
    let log = get(&daemon, &format!("{path}/log")).to_string();
    assert_eq!(job["state"], "completed", "{job:#}\n{log}");
    let steps = job["steps"].as_array().expect("steps");
    let numbers: Vec<_> = steps.iter().filter_map(|step| step["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>(), "{job:#}");
    assert!(steps.iter().all(|step| step["state"] == "done"), "{job:#}");
    assert!(log.contains("days out of sample"), "the programs' words are in the job's log: {log}");

    // The version, with the importances that its training found.
    let name = job["version"].as_str().expect("a version");
    let version = get(&daemon, &format!("/api/models/{model}/versions/{name}"));
    assert_eq!(version["job"], json!(job_id), "{version:#}");
    let importances = &version["feature_importances"];
    assert_eq!(importances["method"], "mean |SHAP|", "{version:#}");
    let features = importances["features"].as_array().expect("features");
    assert_eq!(Some(features.len() as u64), version["feature_count"].as_u64(), "{version:#}");
    assert!(features[0]["importance"].as_f64().is_some_and(|most| most > 0.0), "{importances:#}");
    let files: Vec<_> = version["files"].as_array().expect("files").iter().map(|file| &file["path"]).collect();
    assert_eq!(files, ["metadata.json", file], "{version:#}");

    // The evaluation, the gates, and what the bus was told of them.
    let outcome = &job["outcome"];
    assert_eq!(outcome["evaluation_type"], "walk_forward", "{job:#}");
    assert!(outcome["sharpe"].is_number(), "{job:#}");
    let gated = if outcome["passed"] == true { &["shadow", "candidate"][..] } else { &["failed"] };
    assert!(gated.contains(&version["status"].as_str().expect("a status")), "{outcome} {version:#}");
    assert_eq!(version["status"], outcome["status"]);
    assert_eq!(told(&mut redis, "clm.training_job_created")["trigger_reason"], "drift_detected");
    let trained = told(&mut redis, "clm.model_trained");
    assert_eq!((&trained["version"], &trained["success"]), (&json!(name), &json!(true)), "{trained}");
    let evaluated = told(&mut redis, "clm.model_evaluated");
    assert_eq!((&evaluated["model_id"], &evaluated["version"]), (&json!(model), &json!(name)), "{evaluated}");
    assert_eq!(evaluated["passed"], outcome["passed"], "{evaluated}");
    assert_eq!(evaluated["promotion_score"], outcome["promotion_score"], "{evaluated}");
}

#[test]
fn a_drift_message_becomes_a_gated_version_of_xgboost() {
    learns_when_it_drifts("xgboost", "model.json");
}

#[test]
fn a_drift_message_becomes_a_gated_version_of_lightgbm() {
    learns_when_it_drifts("lightgbm", "model.txt");
}
