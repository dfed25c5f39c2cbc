use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quantum_clm::app::jobs::{Jobs, Orchestrator};
use quantum_clm::app::registry::{Ask, Registry, RegistryError, Undeployed};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::job::{Assignment, Ending, Finished, Job, JobId, Program, Report, ReportAnswer, StepEnd};
use quantum_clm::domain::model::{ArtifactFile, Digest, Hook, ModelId, ModelStatus, Version, VersionName};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::Store;
use serde_json::{Value, json};

use super::super::bed::{name, over, report, request, run, training};
use super::programs::{FILES, data, train};

/// 2026-06-01T00:00:00Z: after the days of every test's returns.
const NOW: u64 = 1_780_272_000_000_000;

pub(super) fn model() -> ModelId {
    name("btcusdt").id()
}

/// Jobs over a data file with a registry, without a worker and without HTTP.
pub(super) struct Bed {
    parts: Option<Parts>,
    pub(super) config: Config,
    clock: Arc<AtomicU64>,
    _directory: tempfile::TempDir,
}

struct Parts {
    store: Arc<Store>,
    registry: Arc<Registry>,
    jobs: Arc<Jobs>,
}

/// Everything that a report could change.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    job: Job,
    versions: Vec<Version>,
    told: Vec<Value>,
    entries: usize,
    evaluations: usize,
}

impl Bed {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
        change(&mut config);
        let clock = Arc::new(AtomicU64::new(NOW));
        let mut bed = Self { parts: None, config, clock, _directory: directory };
        bed.reopen();
        bed
    }

    /// The daemon ends, and starts again.
    pub(super) fn reopen(&mut self) {
        if let Some(Parts { store, registry, jobs }) = self.parts.take() {
            drop((jobs, registry));
            Arc::into_inner(store).expect("nobody else has the file").close();
        }
        let store = Arc::new(Store::open(&self.config.data_file).unwrap());
        let registry = Arc::new(Registry::new(store.clone(), &self.config, Box::new(Undeployed)));
        let metrics = Metrics::new(StatusBoard::new(), "0", "0", Micros(0));
        let clock = self.clock.clone();
        let now = Box::new(move || Micros(clock.load(Ordering::SeqCst)));
        let own = Box::new(Orchestrator { registry: registry.clone() });
        let jobs = Arc::new(Jobs::new(store.clone(), self.config.jobs.clone(), metrics, own, now));
        self.parts = Some(Parts { store, registry, jobs });
    }

    pub(super) fn jobs(&self) -> &Jobs {
        &self.parts.as_ref().unwrap().jobs
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.parts.as_ref().unwrap().registry
    }

    pub(super) fn store(&self) -> &Store {
        &self.parts.as_ref().unwrap().store
    }

    pub(super) fn now(&self) -> Micros {
        Micros(self.clock.load(Ordering::SeqCst))
    }

    /// So many seconds pass.
    pub(super) fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.fetch_add(Micros::SECOND, Ordering::SeqCst);
            self.jobs().tick(Duration::from_secs(1), self.now()).unwrap();
        }
    }

    pub(super) fn ask(&self) -> Ask {
        let actor = Actor::person("anna", "192.0.2.7");
        Ask { actor, grant: Grant::Role(Role::Admin), now: self.now(), key: None, expected: None }
    }

    pub(super) fn create(&self) -> Job {
        self.jobs().create(&self.ask(), training("btcusdt")).unwrap()
    }

    pub(super) fn get(&self, id: JobId) -> Job {
        self.jobs().get(id).unwrap()
    }

    #[track_caller]
    pub(super) fn lease(&self, worker: &str) -> Assignment {
        self.jobs().lease(&request(worker, &[])).unwrap().expect("a job")
    }

    /// A worker's program has answered this. Twice, because the first answer may have got lost: it comes to the same, and
    /// changes nothing more.
    #[track_caller]
    pub(super) fn answer(&self, assignment: &Assignment, result: &Value) -> ReportAnswer {
        let report = answered(assignment, result);
        let first = self.jobs().report(assignment.job, &report).unwrap();
        let seen = self.see(assignment.job);
        let again = self.jobs().report(assignment.job, &report).unwrap();
        assert_eq!(again, first, "the same report is answered otherwise");
        assert_eq!(self.see(assignment.job), seen, "the same report changed something");
        first
    }

    pub(super) fn see(&self, id: JobId) -> Seen {
        let mut job = self.get(id);
        // When its worker was heard of last is no part of what came of it.
        job.lease.as_mut().into_iter().for_each(|lease| lease.heard_at = Micros(0));
        let (store, model) = (self.store(), job.model.clone());
        let versions = store.versions_of(&model).unwrap();
        let evaluations = versions.iter().map(|v| self.registry().evaluations(&model, &v.name).unwrap().len()).sum();
        let entries = store.read(|txn| txn.model_history(&model, u64::MAX, usize::MAX)).unwrap().len();
        Seen { job, versions, told: self.told(), entries, evaluations }
    }

    /// The worker sends the files that it is asked for, and asks what comes next.
    #[track_caller]
    pub(super) fn upload(&self, assignment: &Assignment, answer: &ReportAnswer) -> ReportAnswer {
        let ReportAnswer::Upload { version, paths } = answer else { panic!("no upload: {answer:?}") };
        for path in paths {
            self.attach(assignment, version, path).unwrap();
        }
        self.jobs().go_on(assignment.job, assignment.epoch).unwrap()
    }

    pub(super) fn attach(&self, has: &Assignment, version: &VersionName, path: &str) -> Result<(), RegistryError> {
        let lease = Some((has.job, has.epoch));
        let file = ArtifactFile { path: path.parse().unwrap(), size: 10, sha256: digest(path) };
        self.registry().attach_under(&self.ask(), &has.model, version, &file, u64::MAX, lease).map(drop)
    }

    /// Takes a job that was leased up to its evaluation.
    #[track_caller]
    pub(super) fn to_evaluation(&self, first: &Assignment) -> Assignment {
        let trains = run(self.answer(first, &data()));
        assert_eq!(trains.program, Program::Train);
        let answer = self.answer(&trains, &train());
        let evaluates = run(self.upload(&trains, &answer));
        assert_eq!(evaluates.program, Program::Evaluate);
        evaluates
    }

    /// A whole training, whose evaluation answers this.
    #[track_caller]
    pub(super) fn trained(&self, evaluation: &Value) -> (Job, Version) {
        let job = self.create();
        let evaluates = self.to_evaluation(&self.lease("w1"));
        assert_eq!(over(self.answer(&evaluates, evaluation)), Ending::Completed);
        let job = self.get(job.id);
        let version = self.version(job.version.as_ref().unwrap());
        (job, version)
    }

    pub(super) fn version(&self, name: &VersionName) -> Version {
        self.store().version(&model(), name).unwrap().unwrap()
    }

    pub(super) fn status(&self, name: &VersionName) -> ModelStatus {
        self.registry().version(&model(), name, self.now()).unwrap().status
    }

    /// What was told to the bus, oldest first.
    pub(super) fn told(&self) -> Vec<Value> {
        let messages = self.store().outbox_after(0, usize::MAX).unwrap();
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        messages.iter().map(|message| read(&message.payload)).map(|m| json!([m["event_type"], m["payload"]])).collect()
    }

    pub(super) fn told_of(&self, event_type: &str) -> Vec<Value> {
        self.told().into_iter().filter(|event| event[0] == event_type).map(|event| event[1].clone()).collect()
    }

    pub(super) fn hooks(&self) -> Vec<Hook> {
        let mut hooks = self.store().hooks(None, u64::MAX, usize::MAX).unwrap();
        hooks.reverse();
        hooks
    }
}

/// What the tests' files hold.
pub(super) fn digest(path: &str) -> Digest {
    Digest([path.len() as u8; 32])
}

/// A report that `program` has answered this, with the files that the tests' training leaves.
pub(super) fn answered(assignment: &Assignment, result: &Value) -> Report {
    let mut artifacts = BTreeMap::new();
    if assignment.program == Program::Train {
        artifacts.extend(FILES.map(|path| (path.to_owned(), digest(path))));
    }
    report(assignment, StepEnd::Done(Finished { result: result.clone(), artifacts }))
}
