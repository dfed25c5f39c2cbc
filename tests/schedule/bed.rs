use std::collections::BTreeMap;

use quantum_clm::app::App;
use quantum_clm::app::registry::Ask;
use quantum_clm::app::schedule::{Entry, Recorded, ScheduleError, Stepped, Trades};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::job::{
    Failure, FailureKind, Job, JobId, LeaseRequest, Program, Report, Resources, StepEnd, Trigger,
};
use quantum_clm::domain::model::{Digest, ModelName};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::schedule::{NewTrigger, Target, TriggerRecord};
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::now;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::Store;

pub(crate) const HOUR: u64 = Micros::HOUR;

/// A daemon's inner side, without its tasks.
pub(crate) struct Bed {
    pub(crate) app: App,
    /// The instant that the test calls the present. Jobs end by the clock of the machine, which is close to it.
    pub(crate) began: Micros,
    directory: tempfile::TempDir,
}

pub(crate) fn named(id: &str) -> ModelName {
    ModelName::of(&id.parse().unwrap()).unwrap()
}

pub(crate) fn drift(model: &str) -> NewTrigger {
    NewTrigger {
        target: Target::Model(model.to_owned()),
        reason: Trigger::DriftDetected,
        figure: Some(0.4),
        evidence: "the drift score is 0.4".to_owned(),
        by: "model.drift_detected".to_owned(),
        at: now(),
    }
}

pub(crate) fn by_hand(target: Target) -> NewTrigger {
    NewTrigger {
        target,
        reason: Trigger::Manual,
        figure: None,
        evidence: "asked for over the bus".to_owned(),
        by: "anna".to_owned(),
        at: now(),
    }
}

fn app(config: Config) -> App {
    let store = Store::open(&config.data_file).unwrap();
    let board = StatusBoard::new();
    let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now());
    App::new(config, store, board, metrics, now())
}

impl Bed {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
        change(&mut config);
        Self { app: app(config), began: now(), directory }
    }

    /// With these models, which the registry does not have.
    pub(crate) fn of(models: &[&str]) -> Self {
        Self::new(|config| config.scheduler.models = models.iter().copied().map(named).collect())
    }

    /// The daemon stops and starts again.
    pub(crate) fn restart(self) -> Self {
        let Self { app: old, began, directory } = self;
        let config = Config::clone(&old.config);
        old.close();
        Self { app: app(config), began, directory }
    }

    /// `hours` after the beginning.
    pub(crate) fn at(&self, hours: u64) -> Micros {
        self.began.plus(hours * HOUR)
    }

    #[track_caller]
    pub(crate) fn step(&self, at: Micros) -> Stepped {
        self.app.schedule.step(at).unwrap()
    }

    /// Steps from one next time to the next one, until `until`; the models of the jobs that were created, oldest first.
    #[track_caller]
    pub(crate) fn run(&self, from: Micros, until: Micros) -> Vec<(Micros, String)> {
        let (mut at, mut seen) = (from, self.jobs().len());
        let mut created = Vec::new();
        while at <= until {
            let stepped = self.step(at);
            let jobs = self.jobs();
            created.extend(jobs[seen..].iter().map(|job| (at, job.model.to_string())));
            seen = jobs.len();
            at = stepped.next.map_or(until.plus(1), |next| next.max(at.plus(1)));
        }
        created
    }

    #[track_caller]
    pub(crate) fn trigger(&self, new: &NewTrigger, at: Micros) -> Recorded {
        let write = |txn: &_| self.app.schedule.trigger(txn, new, at);
        let recorded = self.app.store.write::<_, ScheduleError>(write).unwrap();
        self.app.schedule.announce(&recorded);
        recorded
    }

    #[track_caller]
    pub(crate) fn trades(&self, trades: &[Trades<'_>], at: Micros) {
        let write = |txn: &_| self.app.schedule.count_trades(txn, trades, at);
        self.app.store.write::<_, ScheduleError>(write).unwrap();
    }

    /// All jobs, oldest first.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.app.store.jobs(&Default::default(), None, usize::MAX).unwrap().0;
        jobs.reverse();
        jobs
    }

    /// All triggers, oldest first.
    pub(crate) fn triggers(&self) -> Vec<TriggerRecord> {
        let mut triggers = self.app.store.triggers(None, None, u64::MAX, usize::MAX).unwrap().0;
        triggers.reverse();
        triggers
    }

    /// What became of them, in words.
    pub(crate) fn decisions(&self) -> Vec<&'static str> {
        self.triggers().iter().map(|record| record.decision.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn entry(&self, model: &str, at: Micros) -> Entry {
        let plan = self.app.schedule.plan(None, None, 1_000, at).unwrap();
        let mut entries = plan.entries.into_iter();
        entries.find(|entry| entry.model.as_str() == model).unwrap_or_else(|| panic!("{model} is not in the schedule"))
    }

    /// A worker that trains everything asks for work, and takes what there is.
    #[track_caller]
    pub(crate) fn worker(&self) -> Option<(JobId, u64)> {
        self.worker_with(&[Program::Data, Program::Train, Program::Evaluate])
    }

    /// The same with these programs.
    pub(crate) fn worker_with(&self, programs: &[Program]) -> Option<(JobId, u64)> {
        let kinds = quantum_clm::domain::model::ModelType::ALL;
        let programs: BTreeMap<_, _> = kinds.map(|kind| (kind, programs.to_vec())).into();
        let request = LeaseRequest {
            worker: "w".to_owned(),
            instance: "w".to_owned(),
            host: "h".to_owned(),
            boot: "b".to_owned(),
            sent: 0,
            programs,
            hook: false,
            held: Vec::new(),
            wait_seconds: 0,
        };
        self.app.jobs.lease(&request).unwrap().map(|assignment| (assignment.job, assignment.epoch))
    }

    /// The job that waits is given to a worker, and its first program fails.
    #[track_caller]
    pub(crate) fn fail_a_job(&self) -> JobId {
        let (job, epoch) = self.worker().expect("a job waits");
        let failure = Failure { kind: FailureKind::Program, why: "exit code 1".to_owned() };
        let report = Report {
            epoch,
            program: Program::Data,
            inputs: Digest([0; 32]),
            end: StepEnd::Failed { failure },
            reused: false,
            resources: Resources::default(),
        };
        self.app.jobs.report(job, &report).unwrap();
        job
    }
}

pub(crate) fn anna(at: Micros) -> Ask {
    Ask {
        actor: Actor::person("anna", "192.0.2.7"),
        grant: Grant::Role(Role::Operator),
        now: at,
        key: None,
        expected: None,
    }
}
