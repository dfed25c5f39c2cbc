//! What a worker says, without one: programs that are not there end as a test wishes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::ask::ask;

/// What the programs leave as the version's only file.
pub(crate) const MODEL_FILE: &str = "{\"trees\": []}";

/// A worker called `trainer-1`, over the socket of a daemon.
pub(crate) struct Trainer {
    socket: PathBuf,
}

impl Trainer {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Null where nothing was answered.
    #[track_caller]
    pub(crate) fn say(&self, path: &str, body: &Value) -> Value {
        let answer = ask(&self.socket, "POST", path, &[("content-type", "application/json")], body.to_string());
        let answer = answer.expect("an answer");
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        if answer.status == 204 { Value::Null } else { answer.json() }
    }

    /// The first program of the next job.
    #[track_caller]
    pub(crate) fn lease(&self) -> Value {
        self.say("/api/work/lease", &lease_request())
    }

    /// What comes after a program has ended like this.
    #[track_caller]
    pub(crate) fn report(&self, assignment: &Value, end: &Value) -> Value {
        let job = assignment["job"].as_str().expect("a job");
        self.say(&format!("/api/work/jobs/{job}/report"), &report(assignment, end))
    }

    /// Records that stand at this offset of the job's log; how far it is then.
    #[track_caller]
    pub(crate) fn write(&self, job: &str, epoch: u64, offset: u64, records: &str) -> u64 {
        let path = format!("/api/work/jobs/{job}/log?epoch={epoch}&offset={offset}");
        let answer = ask(&self.socket, "POST", &path, &[("content-type", "application/octet-stream")], records);
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["next"].as_u64().unwrap()
    }

    /// Takes a job that was leased to its good end.
    #[track_caller]
    pub(crate) fn complete(&self, first: &Value) {
        let (job, epoch) = (first["job"].as_str().expect("a job"), first["epoch"].as_u64().unwrap());
        let train = self.report(first, &done(data_result(), json!({})));
        let upload = self.report(&train["assignment"], &trained());
        assert_eq!(upload["next"], "upload", "{upload}");
        let sha256 = digest(MODEL_FILE);
        let path = format!("/api/work/jobs/{job}/artifacts/model.json?epoch={epoch}&sha256={sha256}");
        let answer = ask(&self.socket, "PUT", &path, &[], MODEL_FILE).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        let evaluate = self.say(&format!("/api/work/jobs/{job}/continue"), &json!({ "epoch": epoch }));
        let over = self.report(&evaluate["assignment"], &done(evaluation(), json!({})));
        assert_eq!(over, json!({ "next": "over", "ending": "completed" }));
    }
}

pub(crate) fn lease_request() -> Value {
    json!({
        "worker": "trainer-1", "instance": "trainer-1", "host": "gpu-7", "held": [], "hook": false,
        "programs": { "xgboost": ["data", "train", "evaluate"] }, "boot": "b1", "sent": 0, "wait_seconds": 0,
    })
}

pub(crate) fn report(assignment: &Value, end: &Value) -> Value {
    json!({
        "epoch": assignment["epoch"], "program": assignment["program"], "inputs": digest("the command"), "end": end,
        "reused": false, "resources": { "memory_peak": 7_340_032, "cpu_ms": 1_500, "output_bytes": 812 },
    })
}

pub(crate) fn done(result: Value, artifacts: Value) -> Value {
    json!({ "outcome": "done", "result": result, "artifacts": artifacts })
}

pub(crate) fn failed(why: &str) -> Value {
    json!({ "outcome": "failed", "failure": { "kind": "program", "why": why } })
}

fn span() -> Value {
    json!({ "from": "2025-01-01T00:00:00Z", "until": "2025-06-30T00:00:00Z" })
}

pub(crate) fn data_result() -> Value {
    json!({ "data_range": span(), "rows": 4_320, "files": ["bars.csv"], "symbols": ["BTCUSDT"] })
}

/// The end of the program that trains, with the model's file.
pub(crate) fn trained() -> Value {
    let result = json!({
        "artifacts": ["model.json"], "train_metrics": { "logloss": 0.61 }, "validation_metrics": { "logloss": 0.64 },
        "feature_count": 12, "data_range": span(), "parameters": { "max_depth": 6 },
    });
    done(result, json!({ "model.json": digest(MODEL_FILE) }))
}

/// Sixty days behind the data, with an edge: some are lost.
pub(crate) fn evaluation() -> Value {
    let values: Vec<f64> = (0..60).map(|day| [0.012, -0.004, 0.009, -0.007, 0.003][day % 5]).collect();
    json!({ "kind": "walk_forward", "returns": { "first_day": "2025-07-01", "values": values } })
}

pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of a program's output, as a log has it.
pub(crate) fn record(text: &str) -> String {
    format!("2026-06-01T00:00:00.000Z out {text}\n")
}
