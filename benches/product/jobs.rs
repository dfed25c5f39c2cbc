//! A long queue: a thousand jobs wait, workers that only pretend to train do a hundred a minute, and people look on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use quantum_clm::domain::job::{
    Assignment, Beat, Ending, Finished, LeaseRequest, Program, Report, ReportAnswer, Resources, StepEnd,
};
use quantum_clm::domain::model::{Digest, ModelType};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::connection::Connection;
use crate::daemon::Setup;
use crate::journal::Live;
use crate::table::{Table, percentile};
use crate::web::{free_address, token};
use crate::{Bench, Result};

const QUEUED: u64 = 1_000;
const A_MINUTE: u32 = 100;
/// As many as may have a training at once.
const WORKERS: u32 = 2;
const PAGES_A_SECOND: u32 = 20;
/// How long a program pretends to be at it.
const AT_IT: Duration = Duration::from_millis(300);
const DAYS: usize = 250;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let journal = Live::new(bench.directory.join("journal-jobs"))?;
    let address = free_address()?;
    let setup = Setup::listening(bench, "jobs", &journal.directory, "url = \"\"", &address.to_string())?;
    clear(bench);
    let mut daemon = setup.start()?;
    daemon.ready()?;
    let mut own = Connection::unix(&setup.socket())?;
    let begun = Instant::now();
    for number in 0..QUEUED {
        queue(&mut own, number)?;
    }
    let created = QUEUED as f64 / begun.elapsed().as_secs_f64();
    table.known("jobs asked for, one after the other", "/s", created, "each with its audit record and its event");

    let floor = Arc::new(Floor::default());
    let (begun, before) = (Instant::now(), daemon.written()?);
    let workers: Vec<_> = (0..WORKERS).map(|number| Worker::start(&setup, number, begun, &floor)).collect();
    let mut people = Connection::tcp(address, &token(&setup, "--role", "viewer")?)?;
    let looked = look(bench, &mut people, begun, &floor, &workers);
    floor.closing.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    let mut looked = looked?;
    let took = begun.elapsed().as_secs_f64();
    let done = floor.done.load(Ordering::Relaxed);

    let load =
        format!("{QUEUED} jobs wait, {A_MINUTE} a minute are done, {PAGES_A_SECOND} pages a second; {took:.0} s");
    // What has begun is let finish, so a round more or less is no shortfall.
    table.at_least("jobs done a minute", f64::from(A_MINUTE - 5), "/min", done as f64 / took * 60.0, &load);
    for (name, times) in &mut looked {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        let remark = format!("p50 {:.1} ms of {}; {QUEUED} wait", p50 * 1e3, times.len());
        table.at_most(&format!("{name}, p99"), 25.0, "ms", p99 * 1e3, &remark);
    }
    let written = (daemon.written()? - before) / 1024.0 / done.max(1) as f64;
    table.known(
        "bytes written a job",
        "KiB",
        written,
        "ten steps, beats, log, files, events, and the next one asked for",
    );
    table.at_most("resident memory, peak with these jobs", 96.0, "MiB", daemon.memory("VmHWM")?, "");
    daemon.stop()?;
    clear(bench);
    Ok(())
}

/// What jobs leave beside the data file.
fn clear(bench: &Bench) {
    for directory in ["artifacts", "production", "logs"] {
        let _ = std::fs::remove_dir_all(bench.directory.join(directory));
    }
}

/// Asks for a training of a model that nobody else asks for.
fn queue(connection: &mut Connection, number: u64) -> Result<()> {
    let new = json!({
        "model_type": "xgboost", "symbol": format!("COIN{number}USDT"), "timeframe": "1h", "dataset_span_days": 90,
        "training_params": { "max_depth": number % 9, "eta": 0.1, "subsample": 0.8 }, "why": "the bench wants it",
    });
    connection.ask("POST", "/api/jobs", Some(&new))?;
    Ok(())
}

/// Pages and answers, one after the other, until the time is over: the seconds of each.
fn look(
    bench: &Bench,
    people: &mut Connection,
    begun: Instant,
    floor: &Floor,
    workers: &[Hands],
) -> Result<BTreeMap<String, Vec<f64>>> {
    let mut looked: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let end = begun + Duration::from_secs(bench.seconds);
    let mut next = Instant::now();
    for round in 0_usize.. {
        if Instant::now() >= end || workers.iter().any(JoinHandle::is_finished) {
            break;
        }
        let at_work = floor.at_work.load(Ordering::Relaxed).max(1);
        let asked = [
            ("page /jobs", "/jobs".to_owned()),
            ("page of a job that is at work", format!("/jobs/job-{at_work}")),
            ("page of a job that waits", format!("/jobs/job-{QUEUED}")),
            ("GET /api/jobs", "/api/jobs".to_owned()),
            ("GET /api/jobs/{id}", format!("/api/jobs/job-{at_work}")),
            ("GET /clm/jobs", "/clm/jobs".to_owned()),
        ];
        let (name, path) = &asked[round % asked.len()];
        let begun = Instant::now();
        people.send("GET", path, "", b"")?;
        looked.entry((*name).to_owned()).or_default().push(begun.elapsed().as_secs_f64());
        next += Duration::from_secs(1) / PAGES_A_SECOND;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(looked)
}

/// A worker's thread.
type Hands = JoinHandle<std::result::Result<(), String>>;

/// What the workers share.
#[derive(Default)]
struct Floor {
    closing: AtomicBool,
    done: AtomicU64,
    /// The number of a job that somebody has.
    at_work: AtomicU64,
}

/// Speaks as a worker does, and trains nothing.
struct Worker {
    name: String,
    connection: Connection,
    log: u64,
}

impl Worker {
    fn start(setup: &Setup, number: u32, begun: Instant, floor: &Arc<Floor>) -> Hands {
        let (socket, floor) = (setup.socket(), Arc::clone(floor));
        std::thread::spawn(move || Self::toil(&socket, number, begun, &floor).map_err(|error| error.to_string()))
    }

    /// A job whenever its turn has come, until the floor closes.
    fn toil(socket: &Path, number: u32, begun: Instant, floor: &Floor) -> Result<()> {
        let name = format!("bench-{number}");
        let mut worker = Self { name, connection: Connection::unix(socket)?, log: 0 };
        for turn in (number..).step_by(WORKERS as usize) {
            let due = begun + Duration::from_secs(60) / A_MINUTE * turn;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if floor.closing.load(Ordering::Relaxed) {
                break;
            }
            worker.work(floor)?;
            let done = floor.done.fetch_add(1, Ordering::Relaxed);
            // The queue stays as long as it is.
            queue(&mut worker.connection, QUEUED + done)?;
        }
        Ok(())
    }

    /// One job from its lease to its end.
    fn work(&mut self, floor: &Floor) -> Result<()> {
        let programs = BTreeMap::from([(ModelType::Xgboost, vec![Program::Data, Program::Train, Program::Evaluate])]);
        let (worker, host) = (self.name.clone(), "bench".to_owned());
        let request = LeaseRequest {
            instance: worker.clone(),
            worker,
            host,
            programs,
            hook: false,
            held: Vec::new(),
            boot: "bench".to_owned(),
            sent: 0,
            wait_seconds: 25,
        };
        let given = self.say("/api/work/lease", &request)?;
        let first: Assignment = serde_json::from_slice(&given).map_err(|error| format!("no job: {error}"))?;
        let (job, epoch) = (first.job, first.epoch);
        floor.at_work.store(job.0, Ordering::Relaxed);
        self.log = 0;
        let path = format!("/api/work/jobs/{job}");
        let mut next = ReportAnswer::Run { assignment: Box::new(first) };
        loop {
            let answer = match next {
                ReportAnswer::Run { assignment } => {
                    self.pretend(&path, &assignment)?;
                    self.say(&format!("{path}/report"), &report(&assignment))?
                }
                ReportAnswer::Upload { paths, .. } => {
                    for file in paths {
                        let content = content(job.0);
                        let sha256 = Digest(Sha256::digest(&content).into());
                        let file = format!("{path}/artifacts/{file}?epoch={epoch}&sha256={sha256}");
                        self.connection.send("PUT", &file, "application/octet-stream", &content)?;
                    }
                    self.say(&format!("{path}/continue"), &json!({ "epoch": epoch }))?
                }
                ReportAnswer::Over { ending: Ending::Completed } => return Ok(()),
                ReportAnswer::Over { ending } => {
                    let told = self.connection.ask("GET", &format!("/api/jobs/{job}"), None)?;
                    return Err(format!("{job} ended otherwise: {ending:?}: {}", told["failure"]).into());
                }
            };
            next = serde_json::from_slice(&answer)?;
        }
    }

    /// A beat in the middle, and some lines of log.
    fn pretend(&mut self, path: &str, assignment: &Assignment) -> Result<()> {
        std::thread::sleep(AT_IT / 2);
        let resources = Resources { memory_peak: Some(700 << 20), cpu_ms: Some(150), output_bytes: 4_000 };
        let beat =
            Beat { epoch: assignment.epoch, progress: Some(0.5), message: Some("fold 3 of 5".into()), resources };
        self.say(&format!("{path}/beat"), &beat)?;
        let line = format!("2026-01-17T03:46:06.500Z out {} fold 3 of 5: loss 0.4711\n", assignment.program.as_str());
        let lines = line.repeat(50);
        let log = format!("{path}/log?epoch={}&offset={}", assignment.epoch, self.log);
        self.connection.send("POST", &log, "application/octet-stream", lines.as_bytes())?;
        self.log += lines.len() as u64;
        std::thread::sleep(AT_IT / 2);
        Ok(())
    }

    fn say(&mut self, path: &str, body: &impl Serialize) -> Result<Vec<u8>> {
        self.connection.send("POST", path, "application/json", &serde_json::to_vec(body)?)
    }
}

/// What a model of a few hundred bytes holds.
fn content(job: u64) -> Vec<u8> {
    format!("weights of job {job}\n").repeat(20).into_bytes()
}

fn report(assignment: &Assignment) -> Report {
    let mut artifacts = BTreeMap::new();
    let result = match assignment.program {
        Program::Train => {
            let sha256 = Digest(Sha256::digest(content(assignment.job.0)).into());
            artifacts.insert("model.json".to_owned(), sha256);
            trained()
        }
        Program::Evaluate => evaluated(),
        Program::Data | Program::Hook => json!({
            "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2026-02-06T00:00:00Z" }, "rows": 9_624,
        }),
    };
    Report {
        epoch: assignment.epoch,
        program: assignment.program,
        inputs: Digest([1; 32]),
        end: StepEnd::Done(Finished { result, artifacts }),
        reused: false,
        resources: Resources { memory_peak: Some(700 << 20), cpu_ms: Some(300), output_bytes: 8_000 },
    }
}

fn trained() -> Value {
    let importances: BTreeMap<String, f64> =
        (1..50).map(|feature| (format!("feature_{feature}"), 1.0 / f64::from(feature))).collect();
    json!({
        "artifacts": ["model.json"], "train_metrics": { "auc": 0.71 }, "validation_metrics": { "auc": 0.62 },
        "feature_count": importances.len(), "feature_importances": importances, "importance_method": "mean |SHAP|",
        "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z" },
    })
}

/// Returns that are better on some days than on others.
fn evaluated() -> Value {
    let values: Vec<f64> = (0..DAYS).map(|day| 0.001 + 0.01 * (day as f64 * 0.7).sin()).collect();
    json!({
        "kind": "walk_forward", "returns": { "first_day": "2025-06-01", "values": values },
        "metrics": { "total_trades": 200 },
    })
}
