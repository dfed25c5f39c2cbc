//! Jobs for newcomers: invented trainings that went as trainings go. Each step is the product's own operation; only the
//! worker and its programs are not there. None is left waiting: nobody would come for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{BETTER, Edge, GOOD, NONE, Random, SampleError, TAG};
use crate::app::App;
use crate::app::jobs::{Asked, Jobs, Orchestrator, Subject};
use crate::app::registry::Ask;
use crate::domain::access::{Actor, Grant};
use crate::domain::job::{
    Assignment, Ending, Failure, FailureKind, Finished, Job, JsonText, LeaseRequest, Priority, Program, Report,
    ReportAnswer, Resources, StepEnd,
};
use crate::domain::model::{ArtifactFile, Digest, ModelName, ModelType, VersionName};
use crate::domain::role::Role;
use crate::domain::time::Micros;
use crate::observe::metrics::Metrics;
use crate::observe::status::StatusBoard;

const WORKER: &str = "demo-trainer";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The files of a version, and what is in them.
const FILES: [(&str, &str); 2] =
    [("model.txt", "invented weights\n"), ("features.json", "[\"rsi_14\", \"volume_ratio\", \"funding_rate\"]\n")];

/// Fills an empty list of jobs; `now` is its last instant. Nothing is done where there was a job already. The models have
/// types of their own, so that nobody else's job is taken for one of these.
pub fn fill_jobs(app: &App, now: Micros) -> Result<(), SampleError> {
    if app.jobs.counts()?.last > 0 {
        return Ok(());
    }
    let shop = Workshop::new(app, now);
    let (lightgbm, patchtst, tft) = (
        (ModelType::Lightgbm, "solusdt", "4h"),
        (ModelType::Patchtst, "btcusdt", "1d"),
        (ModelType::Tft, "multi", "1h"),
    );

    shop.at(9 * DAY);
    shop.ask_for(lightgbm, Priority::Normal, "a first model of this market")?;
    shop.work(lightgbm, &Story { edge: GOOD, seed: 91, minutes: 11, trouble: None })?;

    shop.at(6 * DAY);
    let failed = shop.ask_for(patchtst, Priority::Normal, "to compare with the trees")?;
    let memory = Failure { kind: FailureKind::OutOfMemory, why: "it took more than its 4 GiB of memory".to_owned() };
    shop.work(patchtst, &Story { edge: NONE, seed: 0, minutes: 3, trouble: Some(memory) })?;
    shop.pass(40 * MINUTE);
    shop.jobs.retry(&shop.ask(), failed.id)?;
    shop.work(patchtst, &Story { edge: NONE, seed: 93, minutes: 52, trouble: None })?;

    shop.at(4 * DAY);
    shop.ask_for(tft, Priority::Low, "when nothing else is to be done")?;
    shop.lose(tft)?;
    shop.work(tft, &Story { edge: BETTER, seed: 95, minutes: 34, trouble: None })?;

    shop.at(2 * DAY);
    let cancelled = shop.ask_for(lightgbm, Priority::Normal, "with the new features")?;
    shop.pass(7 * MINUTE);
    shop.jobs.cancel(&shop.ask(), cancelled.id, "the exchange is in maintenance: its data would have a hole")?;
    Ok(())
}

/// Type, symbol (`multi`: of several), timeframe.
type Subjected = (ModelType, &'static str, &'static str);

/// How a job goes.
struct Story {
    edge: Edge,
    seed: u64,
    /// How long the program trains.
    minutes: u64,
    /// What the training comes to, instead of a model.
    trouble: Option<Failure>,
}

/// Jobs with a clock that is set by hand.
struct Workshop<'a> {
    app: &'a App,
    jobs: Jobs,
    clock: Arc<AtomicU64>,
    end: Micros,
}

impl<'a> Workshop<'a> {
    fn new(app: &'a App, now: Micros) -> Self {
        let clock = Arc::new(AtomicU64::new(now.0));
        let told = clock.clone();
        // What is counted here is no work of this daemon's.
        let metrics = Metrics::new(StatusBoard::new(), "", "", now);
        let orchestrator = Box::new(Orchestrator { registry: app.registry.clone() });
        let present = Box::new(move || Micros(told.load(Ordering::SeqCst)));
        let jobs = Jobs::new(app.store.clone(), app.config.jobs.clone(), metrics, orchestrator, present);
        Self { app, jobs, clock, end: now }
    }

    fn now(&self) -> Micros {
        Micros(self.clock.load(Ordering::SeqCst))
    }

    /// So many seconds before the end.
    fn at(&self, ago: u64) {
        self.clock.store(self.end.minus(ago * Micros::SECOND).0, Ordering::SeqCst);
    }

    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds * Micros::SECOND, Ordering::SeqCst);
    }

    fn ask(&self) -> Ask {
        let actor = Actor::person("demo", "console");
        Ask { actor, grant: Grant::Role(Role::Admin), now: self.now(), key: None, expected: None }
    }

    fn ask_for(&self, of: Subjected, priority: Priority, why: &str) -> Result<Job, SampleError> {
        let (kind, symbol, timeframe) = of;
        let name = ModelName::new(kind, Some(symbol).filter(|symbol| *symbol != "multi"), timeframe, None)?;
        let new = self.jobs.manual(Asked {
            subject: Subject::Name(name),
            span_days: 365,
            params: Some(JsonText::new(&json!({ "learning_rate": 0.05, "rounds": 600 }))),
            feature_config: None,
            parent: None,
            candidate: None,
            priority,
            why: why.to_owned(),
        })?;
        Ok(self.jobs.create(&self.ask(), new)?)
    }

    /// The worker asks for work of this model type, and has nothing.
    fn lease(&self, of: Subjected) -> Result<Option<Assignment>, SampleError> {
        let all = vec![Program::Data, Program::Train, Program::Evaluate];
        Ok(self.jobs.lease(&LeaseRequest {
            worker: WORKER.to_owned(),
            instance: WORKER.to_owned(),
            host: "demo".to_owned(),
            boot: "demo".to_owned(),
            sent: 0,
            programs: BTreeMap::from([(of.0, all)]),
            hook: false,
            held: Vec::new(),
            wait_seconds: 0,
        })?)
    }

    fn given(&self, of: Subjected) -> Result<Assignment, SampleError> {
        self.pass(20);
        self.lease(of)?.ok_or(SampleError::NothingToDo)
    }

    /// The worker is started anew while it has the job, and has lost it.
    fn lose(&self, of: Subjected) -> Result<(), SampleError> {
        let assignment = self.given(of)?;
        self.write(&assignment, 30, &["fetching 365 days of 12 symbols"])?;
        self.lease(of)?;
        let pause = self.app.config.jobs.backoff;
        self.pass(pause.as_secs());
        Ok(self.jobs.tick(pause + Duration::from_secs(1), self.now())?)
    }

    /// The worker takes the next job to its end.
    fn work(&self, of: Subjected, story: &Story) -> Result<Ending, SampleError> {
        let first = self.given(of)?;
        let (job, epoch) = (first.job, first.epoch);
        let mut answer = ReportAnswer::Run { assignment: Box::new(first) };
        loop {
            answer = match answer {
                ReportAnswer::Run { assignment } => {
                    let end = self.run(&assignment, story)?;
                    self.jobs.report(job, &report(&assignment, end))?
                }
                ReportAnswer::Upload { version, paths } => {
                    for (path, content) in FILES.iter().filter(|(path, _)| paths.iter().any(|asked| asked == path)) {
                        self.keep(of, &version, path, content)?;
                    }
                    self.jobs.go_on(job, epoch)?
                }
                ReportAnswer::Over { ending } => return Ok(ending),
            };
        }
    }

    /// What a program does and answers.
    fn run(&self, assignment: &Assignment, story: &Story) -> Result<StepEnd, SampleError> {
        let reach = |from: u64, until: u64| {
            let day = |ago: u64| self.now().minus(ago * Micros::DAY).rfc3339();
            json!({ "from": day(from), "until": day(until) })
        };
        let answer = match assignment.program {
            Program::Data => {
                self.write(assignment, 45, &["page 1 of 3", "page 2 of 3", "page 3 of 3", "8760 rows, none missing"])?;
                json!({ "data_range": reach(565, 200), "rows": 8_760, "files": ["bars.csv"], "symbols": ["SOLUSDT"] })
            }
            Program::Train => {
                let rounds =
                    ["[100] valid-logloss: 0.6791", "[200] valid-logloss: 0.6718", "[300] valid-logloss: 0.6694"];
                self.write(assignment, story.minutes * MINUTE, &rounds)?;
                if let Some(failure) = &story.trouble {
                    return Ok(StepEnd::Failed { failure: failure.clone() });
                }
                trained(reach(565, 200))
            }
            Program::Evaluate | Program::Hook => {
                self.write(assignment, 130, &["walking forward, 6 windows of 30 days", "window 6 of 6"])?;
                json!({ "kind": "walk_forward", "trades": self.trades(story) })
            }
        };
        let digest = |content: &str| Digest(Sha256::digest(content.as_bytes()).into());
        let artifacts = match assignment.program {
            Program::Train => FILES.map(|(path, content)| (path.to_owned(), digest(content))).into(),
            _ => BTreeMap::new(),
        };
        Ok(StepEnd::Done(Finished { result: answer, artifacts }))
    }

    /// One trade a day behind the data.
    fn trades(&self, story: &Story) -> Vec<Value> {
        let mut random = Random(story.seed);
        let trade = |ago: u64| {
            let won = random.below(100) < story.edge.wins;
            let gain = if won { story.edge.gain } else { -story.edge.loss } / 10_000.0;
            let gain = gain * (0.6 + random.below(80) as f64 / 100.0);
            json!({ "closed_at": self.now().minus(ago * Micros::DAY).rfc3339(), "return": gain })
        };
        (1..190).rev().map(trade).collect()
    }

    /// Lines of the program, spread over the seconds that it takes.
    fn write(&self, assignment: &Assignment, seconds: u64, lines: &[&str]) -> Result<(), SampleError> {
        let (job, epoch) = (assignment.job, assignment.epoch);
        let mut offset = self.jobs.append_log(job, epoch, 0, b"")?.next;
        for line in lines {
            self.pass(seconds / lines.len() as u64);
            let record = format!("{} out {}: {line}\n", self.now().rfc3339(), assignment.program.as_str());
            offset = self.jobs.append_log(job, epoch, offset, record.as_bytes())?.next;
        }
        Ok(())
    }

    fn keep(&self, of: Subjected, version: &VersionName, path: &str, content: &str) -> Result<(), SampleError> {
        let (kind, symbol, timeframe) = of;
        let model = ModelName::new(kind, Some(symbol).filter(|symbol| *symbol != "multi"), timeframe, None)?.id();
        let directory = &self.app.files.directory;
        let mut intake = directory.take_in(Some(content.len() as u64))?;
        intake.write(content.as_bytes())?;
        let taken = intake.finish(None)?;
        let file = ArtifactFile { path: path.parse()?, size: taken.size, sha256: taken.digest };
        let limit = directory.limits().max_version;
        directory.keep(taken, || {
            self.app.registry.attach(&self.ask(), &model, version, &file, limit).map_err(SampleError::from)
        })?;
        Ok(())
    }
}

fn trained(data_range: Value) -> Value {
    json!({
        "artifacts": FILES.map(|(path, _)| path), "data_range": data_range, "feature_count": 24,
        "train_metrics": { "logloss": 0.6571, "accuracy": 0.61 }, "validation_metrics": { "logloss": 0.6694 },
        "feature_importances": { "rsi_14": 0.31, "volume_ratio": 0.22, "funding_rate": 0.09 },
        "importance_method": "mean |SHAP|", "tags": { TAG.0: TAG.1 },
    })
}

fn report(assignment: &Assignment, end: StepEnd) -> Report {
    let resources = Resources { memory_peak: Some(734_003_200), cpu_ms: Some(48_210), output_bytes: 812 };
    let (epoch, program) = (assignment.epoch, assignment.program);
    Report { epoch, program, inputs: Digest([0; 32]), end, reused: false, resources }
}
