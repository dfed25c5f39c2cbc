//! A thousand jobs that wait, while a worker does a hundred a minute: what pages and lists take meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::connection::Connection;
use crate::daemon::Setup;
use crate::journal::Live;
use crate::table::{Table, percentile};
use crate::web::{free_address, token};
use crate::{Bench, Result};

const WAITING: usize = 1_000;
const A_MINUTE: u64 = 100;
const LOADS: usize = 200;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let journal = Live::new(bench.directory.join("journal-jobs"))?;
    let address = free_address()?;
    let setup = Setup::listening(bench, "jobs", &journal.directory, "url = \"\"", &address.to_string())?;
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let token = token(&setup, "--role", "admin")?;
    let mut connection = Connection::new(address, token.clone())?;

    let begun = Instant::now();
    for number in 0..WAITING {
        let asked = json!({ "model_type": "xgboost", "symbol": format!("COIN{number}USDT"), "why": "the bench asks" });
        connection.ask("POST", "/api/jobs", Some(&asked))?;
    }
    let took = begun.elapsed().as_secs_f64();
    table.known("jobs asked for, one after the other", "/s", WAITING as f64 / took, "");

    let (stopping, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let worker = spawn({
        let (stopping, done) = (stopping.clone(), done.clone());
        move || work(address, token, &stopping, &done).map_err(|error| error.to_string())
    });
    while done.load(Ordering::Relaxed) == 0 {
        if worker.is_finished() {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    let remark = format!("{WAITING} jobs that wait, {A_MINUTE} done a minute");
    for (name, path) in [
        ("page /jobs", "/jobs"),
        ("page /jobs, all that wait", "/jobs?state=pending"),
        ("page of a job that is completed", "/jobs/job-1"),
        ("page of a job that waits", "/jobs/job-1000"),
        ("GET /api/jobs", "/api/jobs"),
        ("GET /api/jobs, 1,000 that wait", "/api/jobs?state=pending&limit=1000"),
        ("GET /clm/jobs", "/clm/jobs"),
        ("GET /clm/status", "/clm/status"),
    ] {
        let mut times = Vec::new();
        for _ in 0..LOADS {
            let begun = Instant::now();
            connection.ask("GET", path, None)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        table.at_most(&format!("{name}, p99"), 25.0, "ms", p99 * 1e3, &format!("p50 {:.1} ms; {remark}", p50 * 1e3));
    }
    stopping.store(true, Ordering::Relaxed);
    worker.join().map_err(|_| "the worker's thread failed")??;
    table.known("resident memory with them, peak", "MiB", daemon.memory("VmHWM")?, &remark);
    daemon.stop()
}

/// Does jobs as a worker says it does, at the pace of the bench.
fn work(address: SocketAddr, token: String, stopping: &AtomicBool, done: &AtomicU64) -> Result<()> {
    let mut connection = Connection::new(address, token)?;
    let pace = Duration::from_millis(60_000 / A_MINUTE);
    while !stopping.load(Ordering::Relaxed) {
        let begun = Instant::now();
        one(&mut connection)?;
        done.fetch_add(1, Ordering::Relaxed);
        sleep(pace.saturating_sub(begun.elapsed()));
    }
    Ok(())
}

fn one(connection: &mut Connection) -> Result<()> {
    let lease = json!({
        "worker": "bench-1", "host": "bench", "programs": { "xgboost": ["data", "train", "evaluate"] }, "hook": false,
        "held": [], "wait_seconds": 0,
    });
    let first = connection.ask("POST", "/api/work/lease", Some(&lease))?;
    let job = first["job"].as_str().ok_or("no job was given")?.to_owned();
    let range = json!({ "from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z" });
    let data = json!({ "data_range": range, "rows": 4_000, "files": [], "symbols": [] });
    let train = report(connection, &job, &first, "data", data, json!({}))?;
    // The file differs from job to job, as models do.
    let file = json!({ "weights": job });
    let digest: String = Sha256::digest(file.to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
    let trained = json!({
        "artifacts": ["model.json"], "train_metrics": { "logloss": 0.61 }, "feature_count": 12, "data_range": range,
    });
    report(connection, &job, &train["assignment"], "train", trained, json!({ "model.json": digest }))?;
    let path = format!("/api/work/jobs/{job}/artifacts/model.json?epoch=1&sha256={digest}");
    connection.ask("PUT", &path, Some(&file))?;
    let evaluate = connection.ask("POST", &format!("/api/work/jobs/{job}/continue"), Some(&json!({ "epoch": 1 })))?;
    let values: Vec<f64> = (0..90).map(|day| [0.012, -0.004, 0.009, -0.007, 0.003][day % 5]).collect();
    let evaluation = json!({ "kind": "walk_forward", "returns": { "first_day": "2025-06-02", "values": values } });
    report(connection, &job, &evaluate["assignment"], "evaluate", evaluation, json!({}))?;
    Ok(())
}

fn report(
    connection: &mut Connection,
    job: &str,
    assignment: &Value,
    program: &str,
    result: Value,
    artifacts: Value,
) -> Result<Value> {
    if assignment["program"] != program {
        return Err(format!("{program} was expected, not {assignment}").into());
    }
    let report = json!({
        "epoch": 1, "program": program, "inputs": "0".repeat(64), "reused": false,
        "end": { "outcome": "done", "result": result, "artifacts": artifacts },
        "resources": { "memory_peak": null, "cpu_ms": null, "output_bytes": 0 },
    });
    connection.ask("POST", &format!("/api/work/jobs/{job}/report"), Some(&report))
}
