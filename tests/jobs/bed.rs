use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quantum_clm::app::jobs::{JobError, Jobs, Next, Orchestrate};
use quantum_clm::app::registry::Ask;
use quantum_clm::config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::job::{
    Assignment, Beat, Ending, Failure, FailureKind, Finished, Held, HookRun, Job, JobId, JobKind, JobStep,
    LeaseRequest, NewJob, Priority, Program, Report, ReportAnswer, Resources, StepEnd, StepOutcome, Training, Trigger,
};
use quantum_clm::domain::model::{Digest, ModelId, ModelName, ModelType, VersionName};
use quantum_clm::domain::request_key::RequestKey;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::Store;
use serde_json::json;

/// 2026-06-01T00:00:00Z.
const NOW: u64 = 1_780_272_000_000_000;

/// Does the daemon's own steps as orchestration does, without a registry. What is uploaded stands here.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    pub(crate) uploaded: Arc<Mutex<BTreeSet<VersionName>>>,
    /// Whether nothing can be done now.
    pub(crate) denied: Arc<AtomicBool>,
    /// Whether the disk cannot follow what is in production.
    pub(crate) obstacle: Arc<AtomicBool>,
}

impl Steps {
    fn step(&self, jobs: &Jobs, job: &Job, step: JobStep) -> Result<(), JobError> {
        if jobs.get(job.id)?.stands(Some(step)) {
            return Ok(());
        }
        jobs.begin_step(job.id, job.epoch, step, [7; 32])?;
        if self.denied.load(Ordering::SeqCst) {
            let source = "the registry rests".into();
            return Err(JobError::Orchestration { what: "registering", source });
        }
        jobs.finish_step(job.id, job.epoch, step, StepOutcome::Done)?;
        Ok(())
    }
}

impl Orchestrate for Steps {
    fn after(&self, jobs: &Jobs, job: &Job, program: Program, finished: &Finished) -> Result<Next, JobError> {
        if let Some(kind) = finished.result.get("fail") {
            let kind = if kind == "answer" { FailureKind::Answer } else { FailureKind::Registry };
            return Ok(Next::Fail(Failure { kind, why: "as the test wishes".into() }));
        }
        match program {
            Program::Data => Ok(Next::Run(Program::Train)),
            Program::Train => {
                if !job.stands(Some(JobStep::Register)) {
                    let version: VersionName = format!("v-{}", job.root).parse().unwrap();
                    jobs.begin_step(job.id, job.epoch, JobStep::Register, [7; 32])?;
                    jobs.set_version(job.id, job.epoch, &version)?;
                    if !self.uploaded.lock().unwrap().contains(&version) {
                        return Ok(Next::Upload { version, paths: vec!["model.bin".into()] });
                    }
                    self.step(jobs, job, JobStep::Register)?;
                }
                self.step(jobs, job, JobStep::TellTrained)?;
                Ok(Next::Run(Program::Evaluate))
            }
            Program::Evaluate => {
                for step in [JobStep::SaveEvaluation, JobStep::TellEvaluated, JobStep::ApplyGates] {
                    self.step(jobs, job, step)?;
                }
                Ok(Next::Complete)
            }
            Program::Hook => Ok(Next::Complete),
        }
    }

    fn settle(&self, _model: &ModelId) -> Option<String> {
        self.obstacle.load(Ordering::SeqCst).then(|| "the disk is full".into())
    }
}

/// A data file with jobs, and a clock that is set by hand.
pub(crate) struct Bed {
    jobs: Option<Arc<Jobs>>,
    store: Option<Arc<Store>>,
    pub(crate) steps: Steps,
    pub(crate) config: config::Jobs,
    pub(crate) clock: Arc<AtomicU64>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(config::Jobs::default())
    }

    pub(crate) fn with(config: config::Jobs) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut bed = Self {
            jobs: None,
            store: None,
            steps: Steps::default(),
            config,
            clock: Arc::new(AtomicU64::new(NOW)),
            path: directory.path().join("q.redb"),
            _directory: directory,
        };
        bed.reopen();
        bed
    }

    /// The daemon ends, and starts again.
    pub(crate) fn reopen(&mut self) {
        self.jobs = None;
        if let Some(store) = self.store.take() {
            Arc::into_inner(store).expect("nobody else has the file").close();
        }
        let store = Arc::new(Store::open(&self.path).unwrap());
        let metrics = Metrics::new(StatusBoard::new(), "0", "0", Micros(0));
        let clock = self.clock.clone();
        let now = Box::new(move || Micros(clock.load(Ordering::SeqCst)));
        let steps = Box::new(self.steps.clone());
        self.jobs = Some(Arc::new(Jobs::new(store.clone(), self.config.clone(), metrics, steps, now)));
        self.store = Some(store);
    }

    pub(crate) fn jobs(&self) -> &Arc<Jobs> {
        self.jobs.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn now(&self) -> Micros {
        Micros(self.clock.load(Ordering::SeqCst))
    }

    /// So many seconds pass, for the clock and for the daemon.
    pub(crate) fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.fetch_add(Micros::SECOND, Ordering::SeqCst);
            self.jobs().tick(Duration::from_secs(1), self.now()).unwrap();
        }
    }

    pub(crate) fn ask(&self) -> Ask {
        Ask {
            actor: Actor::person("anna", "192.0.2.7"),
            grant: Grant::Role(Role::Operator),
            now: self.now(),
            key: None,
            expected: None,
        }
    }

    pub(crate) fn keyed(&self, key: &str) -> Ask {
        Ask { key: Some(RequestKey::new("user anna", key).unwrap()), ..self.ask() }
    }

    pub(crate) fn create(&self, symbol: &str) -> Job {
        self.jobs().create(&self.ask(), training(symbol)).unwrap()
    }

    pub(crate) fn get(&self, id: JobId) -> Job {
        self.jobs().get(id).unwrap()
    }

    pub(crate) fn lease(&self, worker: &str) -> Option<Assignment> {
        self.jobs().lease(&request(worker, &[])).unwrap()
    }

    /// The worker's program is done.
    pub(crate) fn done(&self, assignment: &Assignment) -> ReportAnswer {
        self.jobs().report(assignment.job, &report(assignment, finished())).unwrap()
    }

    /// Takes a job from the lease to its end.
    pub(crate) fn work(&self, worker: &str) -> Option<(JobId, Ending)> {
        let first = self.lease(worker)?;
        let (job, epoch) = (first.job, first.epoch);
        let mut answer = ReportAnswer::Run { assignment: Box::new(first) };
        loop {
            answer = match answer {
                ReportAnswer::Run { assignment } => self.done(&assignment),
                ReportAnswer::Upload { version, .. } => {
                    self.steps.uploaded.lock().unwrap().insert(version);
                    self.jobs().go_on(job, epoch).unwrap()
                }
                ReportAnswer::Over { ending } => return Some((job, ending)),
            };
        }
    }
}

pub(crate) fn name(symbol: &str) -> ModelName {
    ModelName::new(ModelType::Xgboost, Some(symbol), "1h", None).unwrap()
}

pub(crate) fn training(symbol: &str) -> NewJob {
    let name = name(symbol);
    NewJob {
        model: name.id(),
        kind: JobKind::Training(Box::new(Training {
            name,
            span_days: 90,
            params: None,
            feature_config: None,
            parent: None,
            candidate: None,
        })),
        trigger: Trigger::Manual,
        triggered_by: None,
        evidence: "the test asks".into(),
        priority: Priority::Normal,
    }
}

pub(crate) fn hook(symbol: &str) -> NewJob {
    let (model, version) = (name(symbol).id(), "v1".parse().unwrap());
    let run = HookRun { number: 0, model: model.clone(), version, previous: None };
    NewJob { model, kind: JobKind::Hook(run), priority: Priority::High, ..training(symbol) }
}

/// Each is later than the one before.
static SENT: AtomicU64 = AtomicU64::new(0);

pub(crate) fn request(worker: &str, held: &[Held]) -> LeaseRequest {
    let all = vec![Program::Data, Program::Train, Program::Evaluate];
    LeaseRequest {
        worker: worker.into(),
        instance: worker.into(),
        host: format!("host of {worker}"),
        programs: BTreeMap::from([(ModelType::Xgboost, all)]),
        hook: true,
        held: held.to_vec(),
        boot: "boot".into(),
        sent: SENT.fetch_add(1, Ordering::Relaxed),
        wait_seconds: 0,
    }
}

pub(crate) fn finished() -> StepEnd {
    finished_with(json!({ "rows": 7 }))
}

pub(crate) fn finished_with(result: serde_json::Value) -> StepEnd {
    StepEnd::Done(Finished { result, artifacts: BTreeMap::new() })
}

pub(crate) fn failed(kind: FailureKind) -> StepEnd {
    StepEnd::Failed { failure: Failure { kind, why: "as the test wishes".into() } }
}

pub(crate) fn report(assignment: &Assignment, end: StepEnd) -> Report {
    Report {
        epoch: assignment.epoch,
        program: assignment.program,
        inputs: Digest([2; 32]),
        end,
        reused: false,
        resources: Resources::default(),
    }
}

pub(crate) fn beat(epoch: u64) -> Beat {
    Beat { epoch, progress: Some(0.5), message: Some("half".into()), resources: Resources::default() }
}

pub(crate) fn run(answer: ReportAnswer) -> Assignment {
    match answer {
        ReportAnswer::Run { assignment } => *assignment,
        other => panic!("a program was expected, not {other:?}"),
    }
}

pub(crate) fn over(answer: ReportAnswer) -> Ending {
    match answer {
        ReportAnswer::Over { ending } => ending,
        other => panic!("an end was expected, not {other:?}"),
    }
}
