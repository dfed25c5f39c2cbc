use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use quantum_clm::domain::job::{Assignment, Ending, Finished, JobId, Program, Report, ReportAnswer, StepEnd};
use quantum_clm::domain::model::{Digest, ModelType};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::bed::report;
use super::programs::{FILES, data, good, train};
use crate::support::ask::{Answer, ask};
use crate::support::daemon::{Bed, Daemon};
use crate::support::{DEADLINE, wait_for};

const SIGABRT: i32 = 6;

/// A worker of plain requests, whose daemon is the real one and dies now and then: what was not answered is asked again.
pub(super) struct Wire {
    pub(super) bed: Bed,
    daemon: Option<Daemon>,
    /// Failpoints of each daemon to come; none for those after these.
    plans: Vec<String>,
    /// How often it died.
    pub(super) deaths: u32,
}

impl Wire {
    /// The first daemon gets the first of `plans`, the next one the second.
    pub(super) fn new(settings: &[&str], plans: &[String]) -> Self {
        // Each answer to a lease that gets lost is a setback.
        let settings = [&["jobs.backoff = \"1s\"", "jobs.setbacks = 100"][..], settings].concat();
        let mut plans = plans.to_vec();
        plans.reverse();
        let mut wire = Self { bed: Bed::new("", &settings), daemon: None, plans, deaths: 0 };
        wire.start();
        wire
    }

    /// Starts daemons until one answers: some die before that.
    fn start(&mut self) {
        loop {
            let plan = self.plans.pop().unwrap_or_default();
            let mut daemon = self.bed.spawn(&plan);
            wait_for("it answers or dies", || daemon.has_ended() || daemon.status().is_some());
            if !daemon.has_ended() {
                self.daemon = Some(daemon);
                return;
            }
            self.buried(daemon);
        }
    }

    fn buried(&mut self, mut daemon: Daemon) {
        let status = daemon.wait_end();
        assert_eq!(status.signal(), Some(SIGABRT), "{status}: {}", daemon.log());
        self.deaths += 1;
    }

    /// The daemon dies no more; returns once it was started anew.
    pub(super) fn calm(&mut self) {
        self.plans.clear();
        if let Some(mut daemon) = self.daemon.take() {
            if daemon.has_ended() { self.buried(daemon) } else { daemon.kill() }
        }
        self.start();
    }

    pub(super) fn stop(mut self) -> Bed {
        self.calm();
        self.daemon.take().expect("a daemon").stop();
        self.bed
    }

    /// Asks until there is an answer.
    #[track_caller]
    pub(super) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let deadline = Instant::now() + 4 * DEADLINE;
        loop {
            if let Some(answer) = ask(&self.bed.socket(), method, path, headers, body) {
                return answer;
            }
            assert!(Instant::now() < deadline, "no answer to {method} {path}");
            let mut daemon = self.daemon.take().expect("a daemon");
            wait_for("it dies", || daemon.has_ended());
            self.buried(daemon);
            self.start();
        }
    }

    #[track_caller]
    pub(super) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    #[track_caller]
    pub(super) fn get(&mut self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Asks for a training, once.
    #[track_caller]
    pub(super) fn train(&mut self, symbol: &str) -> JobId {
        let body = json!({ "model_type": "xgboost", "symbol": symbol }).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", symbol)];
        let answer = self.ask("POST", "/api/jobs", &headers, body.as_bytes());
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["job_id"].as_str().unwrap().parse().unwrap()
    }

    /// Asks for work until there is some. Asked again it says that it has none: what the answer that got lost gave it goes
    /// back, and comes again after a pause.
    #[track_caller]
    pub(super) fn lease(&mut self) -> Assignment {
        let all = vec![Program::Data, Program::Train, Program::Evaluate];
        let programs = BTreeMap::from([(ModelType::Xgboost, all)]);
        let request = json!({
            "worker": "w1", "instance": "w1", "host": "h1", "programs": programs, "hook": true, "held": [],
            "boot": "b1", "sent": 0, "wait_seconds": 5,
        });
        let deadline = Instant::now() + 4 * DEADLINE;
        loop {
            let answer = self.post("/api/work/lease", &request);
            match answer.status {
                200 => return serde_json::from_str(&answer.body).unwrap(),
                204 => assert!(Instant::now() < deadline, "there is no work"),
                _ => panic!("{answer:?}"),
            }
        }
    }

    /// A program's answer, reported until that is answered.
    #[track_caller]
    pub(super) fn report(&mut self, assignment: &Assignment, end: StepEnd) -> ReportAnswer {
        let said: Report = report(assignment, end);
        let path = format!("/api/work/jobs/{}/report", assignment.job);
        next(&self.post(&path, &serde_json::to_value(said).unwrap()))
    }

    /// Takes a job from its lease to its end.
    #[track_caller]
    pub(super) fn work(&mut self) -> (JobId, Ending) {
        let first = self.lease();
        let (job, epoch) = (first.job, first.epoch);
        let mut at = ReportAnswer::Run { assignment: Box::new(first) };
        loop {
            at = match at {
                ReportAnswer::Run { assignment } => {
                    let end = answer(&assignment);
                    self.report(&assignment, end)
                }
                ReportAnswer::Upload { paths, .. } => {
                    for path in paths {
                        let digest = digest(&path);
                        let to = format!("/api/work/jobs/{job}/artifacts/{path}?epoch={epoch}&sha256={digest}");
                        let answer = self.ask("PUT", &to, &[], path.as_bytes());
                        assert!([200, 201].contains(&answer.status), "{answer:?}");
                    }
                    next(&self.post(&format!("/api/work/jobs/{job}/continue"), &json!({ "epoch": epoch })))
                }
                ReportAnswer::Over { ending } => return (job, ending),
            };
        }
    }
}

#[track_caller]
fn next(answer: &Answer) -> ReportAnswer {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// A file's content is its path.
pub(super) fn digest(path: &str) -> Digest {
    Digest(Sha256::digest(path).into())
}

/// What the program answers that an assignment is for.
pub(super) fn answer(assignment: &Assignment) -> StepEnd {
    let (result, files): (_, &[&str]) = match assignment.program {
        Program::Data => (data(), &[]),
        Program::Train => (train(), &FILES),
        Program::Evaluate => (good(), &[]),
        Program::Hook => (json!({}), &[]),
    };
    let artifacts = files.iter().map(|path| ((*path).to_owned(), digest(path))).collect();
    StepEnd::Done(Finished { result, artifacts })
}
