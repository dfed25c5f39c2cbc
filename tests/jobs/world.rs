//! Workers as they are when everything goes wrong, and what must be true of the jobs at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use quantum_clm::app::jobs::JobError;
use quantum_clm::domain::job::{
    Assignment, Ending, FailureKind, Held, Job, JobId, JobKind, JobState, JobStep, Program, Report, ReportAnswer,
    StepEnd, StepRecord,
};
use quantum_clm::domain::model::{Digest, ModelId};
use quantum_clm::store::JobFilter;
use serde_json::json;

use super::bed::{Bed, beat, failed, finished, finished_with, report, request};

/// Seconds before the end of its lease at which a worker ends its processes.
const MARGIN: u64 = 10;

/// Seconds that ending them takes besides: some machines are slow, but all are done before the fence falls.
const LATE: [u64; 3] = [0, 30, 65];

/// Seconds for which a job is kept for the worker that has what was trained.
const FILES_PATIENCE: u64 = 600;

/// How a program ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Done,
    BreaksTheContract,
    IsRefused,
    Fails,
    Machine,
}

/// What a worker has of a job.
#[derive(Clone, Debug)]
struct Has {
    assignment: Assignment,
    /// Whether a process of it is alive.
    alive: bool,
    /// What is to be reported, where the answer is not known yet.
    pending: Option<Report>,
    /// Files are to be sent.
    uploads: bool,
}

/// A worker with one place.
#[derive(Default)]
pub(crate) struct Worker {
    name: String,
    up: bool,
    cut: bool,
    has: Option<Has>,
    /// Seconds since it was last answered.
    silent: u64,
    /// What programs left in its directories.
    disk: BTreeSet<(JobId, Program, Digest)>,
    /// Leases that it once had.
    past: Vec<Assignment>,
}

pub(crate) struct World {
    pub(crate) bed: Bed,
    pub(crate) workers: Vec<Worker>,
    models: Vec<String>,
    over: BTreeMap<JobId, Job>,
    epochs: BTreeMap<JobId, u64>,
    /// Chains of retries whose trained files were given up with their worker.
    excused: BTreeSet<JobId>,
    daemon_up: bool,
}

impl World {
    pub(crate) fn new(workers: usize, models: usize) -> Self {
        let worker = |at| Worker { name: format!("w{at}"), up: true, ..Worker::default() };
        Self {
            bed: Bed::new(),
            workers: (0..workers).map(worker).collect(),
            models: (0..models).map(|at| format!("s{at}")).collect(),
            over: BTreeMap::new(),
            epochs: BTreeMap::new(),
            excused: BTreeSet::new(),
            daemon_up: true,
        }
    }

    pub(crate) fn all(&self) -> Vec<Job> {
        self.bed.store().jobs(&JobFilter::default(), None, usize::MAX).unwrap().0
    }

    pub(crate) fn create(&mut self, model: usize, is_hook: bool) {
        let model = &self.models[model % self.models.len()];
        let new = if is_hook { super::bed::hook(model) } else { super::bed::training(model) };
        match self.bed.jobs().create(&self.bed.ask(), new) {
            Ok(_) | Err(JobError::Open(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn cancel(&mut self, at: usize) {
        let Some(job) = self.pick(at) else { return };
        match self.bed.jobs().cancel(&self.bed.ask(), job, "no longer") {
            Ok(_) | Err(JobError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn retry(&mut self, at: usize) {
        let Some(job) = self.pick(at) else { return };
        match self.bed.jobs().retry(&self.bed.ask(), job) {
            Ok(_) | Err(JobError::Refused(_) | JobError::Again { .. } | JobError::Open(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn pick(&self, at: usize) -> Option<JobId> {
        let all = self.all();
        (!all.is_empty()).then(|| all[at % all.len()].id)
    }

    fn reaches(&self, at: usize) -> bool {
        self.daemon_up && self.workers[at].up && !self.workers[at].cut
    }

    /// It asks for work, or goes on with what it has.
    pub(crate) fn ask(&mut self, at: usize, answer_lost: bool) {
        if !self.reaches(at) {
            return;
        }
        if self.workers[at].has.is_some() {
            return self.go_on(at, answer_lost);
        }
        let given = self.bed.jobs().lease(&request(&self.workers[at].name, &[]));
        self.workers[at].silent = 0;
        match given {
            Ok(Some(_)) if answer_lost => {}
            Ok(Some(assignment)) => self.begin(at, assignment),
            Ok(None) | Err(JobError::Orchestration { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn begin(&mut self, at: usize, assignment: Assignment) {
        let worker = &mut self.workers[at];
        worker.past.push(assignment.clone());
        let left = (assignment.root, assignment.program, assignment.inputs);
        let kept = worker.disk.contains(&left);
        let pending = kept.then(|| Report { reused: true, ..report(&assignment, finished()) });
        worker.has = Some(Has { assignment, alive: !kept, pending, uploads: false });
    }

    /// Its program ends.
    pub(crate) fn end(&mut self, at: usize, how: How, answer_lost: bool) {
        let worker = &mut self.workers[at];
        let Some(has) = worker.has.as_mut().filter(|has| has.alive) else { return };
        let Assignment { root, program, inputs, .. } = has.assignment;
        has.alive = false;
        // Nothing follows upon data but the next program.
        let refused = matches!(how, How::BreaksTheContract | How::IsRefused);
        let how = if program == Program::Data && refused { How::Done } else { how };
        let end = match how {
            How::Done => finished(),
            How::BreaksTheContract => finished_with(json!({ "fail": "answer" })),
            How::IsRefused => finished_with(json!({ "fail": "registry" })),
            How::Fails => failed(FailureKind::Program),
            How::Machine => failed(FailureKind::Infrastructure),
        };
        // What the registry refuses is whole: a retry reports it again.
        if matches!(how, How::Done | How::IsRefused) {
            worker.disk.insert((root, program, inputs));
        }
        has.pending = Some(report(&has.assignment, end));
        self.go_on(at, answer_lost);
    }

    /// It says what it has to say.
    fn go_on(&mut self, at: usize, answer_lost: bool) {
        if !self.reaches(at) {
            return;
        }
        let Some(has) = self.workers[at].has.clone() else { return };
        let Assignment { job, epoch, .. } = has.assignment;
        if has.uploads {
            self.bed.steps.uploaded.lock().unwrap().insert(format!("v-{}", has.assignment.root).parse().unwrap());
        }
        let answer = match &has.pending {
            Some(report) => self.bed.jobs().report(job, report),
            None if has.uploads => self.bed.jobs().go_on(job, epoch),
            None => return self.beat(at),
        };
        if answer_lost {
            return;
        }
        self.workers[at].silent = 0;
        match answer {
            Ok(ReportAnswer::Run { assignment }) => self.begin(at, *assignment),
            Ok(ReportAnswer::Upload { .. }) => {
                self.workers[at].has = Some(Has { pending: None, uploads: true, ..has });
            }
            Ok(ReportAnswer::Over { ending }) => {
                let state = self.bed.get(job).state;
                assert!(ending != Ending::Completed || state == JobState::Completed, "{job} was said to be completed");
                self.workers[at].has = None;
            }
            Err(JobError::Orchestration { .. }) => {}
            Err(error) if error.is_stale() => self.workers[at].has = None,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn beat(&mut self, at: usize) {
        if !self.reaches(at) {
            return;
        }
        let Some(has) = self.workers[at].has.clone() else { return };
        let Assignment { job, epoch, .. } = has.assignment;
        match self.bed.jobs().beat(job, &beat(epoch)) {
            Ok(answer) => {
                self.workers[at].silent = 0;
                if answer.cancelled.is_some() && has.alive {
                    self.give_up(at, StepEnd::Cancelled);
                }
            }
            Err(error) if error.is_stale() => self.workers[at].has = None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Its processes are ended, and that is to be reported.
    fn give_up(&mut self, at: usize, end: StepEnd) {
        if let Some(has) = &mut self.workers[at].has {
            has.alive = false;
            has.uploads = false;
            has.pending = Some(report(&has.assignment, end));
        }
    }

    /// A request from long ago arrives only now.
    pub(crate) fn late(&mut self, at: usize, which: usize) {
        let past = &self.workers[at].past;
        if !self.daemon_up || past.is_empty() {
            return;
        }
        let old = past[which % past.len()].clone();
        let now = self.bed.get(old.job);
        if now.epoch == old.epoch && now.state.is_held() {
            return;
        }
        let said = [
            self.bed.jobs().beat(old.job, &beat(old.epoch)).map(drop),
            self.bed.jobs().report(old.job, &report(&old, finished())).map(drop),
            self.bed.jobs().set_version(old.job, old.epoch, &"v-stale".parse().unwrap()).map(drop),
        ];
        assert!(said[0].as_ref().is_err_and(JobError::is_stale), "a stale beat was taken");
        assert!(said[2].as_ref().is_err_and(JobError::is_stale), "a stale version was taken");
        assert_eq!(self.bed.get(old.job), now, "what was said under an old lease changed something");
    }

    /// The worker's process is killed; with or without what it runs.
    pub(crate) fn kill(&mut self, at: usize, programs_survive: bool) {
        let worker = &mut self.workers[at];
        worker.up = false;
        if !programs_survive {
            worker.has = None;
        }
    }

    /// It is started again, and takes over what is still there.
    pub(crate) fn start(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        if worker.up {
            return;
        }
        worker.up = true;
        if !self.reaches(at) {
            return;
        }
        let worker = &self.workers[at];
        let held: Vec<_> =
            worker.has.iter().map(|h| Held { job: h.assignment.job, epoch: h.assignment.epoch }).collect();
        // A worker with one place that is taken asks for nothing; what it does not have it says by its next request.
        if held.is_empty() {
            self.ask(at, false);
        } else {
            self.go_on(at, false);
        }
    }

    pub(crate) fn cut(&mut self, at: usize, cut: bool) {
        self.workers[at].cut = cut;
        if !cut {
            self.go_on(at, false);
        }
    }

    /// Time passes; the daemon may be stopped meanwhile (suspended, or between two starts).
    pub(crate) fn pass(&mut self, seconds: u64, daemon_runs: bool) {
        self.daemon_up = daemon_runs;
        for second in 0..seconds {
            if daemon_runs {
                self.bed.pass(1);
            } else {
                self.bed.clock.fetch_add(1_000_000, Ordering::SeqCst);
            }
            for at in 0..self.workers.len() {
                self.workers[at].silent += 1;
                if self.workers[at].silent > FILES_PATIENCE {
                    self.excused.extend(self.workers[at].disk.iter().map(|left| left.0));
                }
                // The supervisor of a program ends it, also when its worker is dead.
                let fenced = self.workers[at].silent >= self.lease() - MARGIN + LATE[at % LATE.len()];
                if fenced && self.workers[at].has.as_ref().is_some_and(|has| has.alive) {
                    self.give_up(at, StepEnd::Lost);
                }
                if second % 15 == 14 {
                    self.beat(at);
                }
            }
            if daemon_runs && second % 20 == 0 {
                self.check();
            }
        }
        self.daemon_up = true;
    }

    fn lease(&self) -> u64 {
        self.bed.config.lease().as_secs()
    }

    /// What must be true at every moment.
    pub(crate) fn check(&mut self) {
        let all = self.all();
        for job in &all {
            let before = self.epochs.insert(job.id, job.epoch).unwrap_or(0);
            assert!(job.epoch >= before, "{}: its epoch went back", job.id);
            if let Some(over) = self.over.get(&job.id) {
                assert_eq!(over, job, "it was over");
            }
            if job.state.is_over() {
                self.over.insert(job.id, job.clone());
                assert!(job.ended_at.is_some() && job.lease.is_none(), "{job:?}");
            }
            let at = job.steps.iter().filter(|record| record.outcome.is_none()).count();
            assert!(at <= 1 && (at == 0 || job.state.is_held()), "a step is open: {job:?}");
            let registered = job.steps.iter().position(|r| r.step == Some(JobStep::Register) && r.is_done());
            let trains = registered.is_some_and(|at| job.steps[at..].iter().any(|r| r.step == Some(JobStep::Train)));
            assert!(!trains, "it was trained after its version was registered: {job:?}");
        }
        let held: Vec<_> = all.iter().filter(|job| job.state.is_held()).collect();
        let lanes: BTreeSet<_> = held.iter().map(|job| lane(job)).collect();
        assert_eq!(lanes.len(), held.len(), "two jobs of a model are held");
        let trainings = lanes.iter().filter(|(_, is_hook)| !is_hook).count();
        assert!(trainings <= 2, "{trainings} trainings are held");
        self.check_processes(&all);
        // What a worker trained and never told of nobody can know; what it told of is never trained again.
        let mut trained: BTreeMap<JobId, usize> = BTreeMap::new();
        for job in &all {
            let is = |record: &&StepRecord| record.step == Some(JobStep::Train) && record.is_done();
            let really = job.steps.iter().filter(is).filter(|record| record.epoch > 0 && !record.reused);
            *trained.entry(job.root).or_default() += really.count();
        }
        for (root, times) in trained {
            assert!(times <= 1 || self.excused.contains(&root), "{root} was trained {times} times: {all:#?}");
        }
        let open = self.bed.store().open_jobs().unwrap();
        let ought: Vec<_> = all.iter().rev().filter(|job| !job.state.is_over()).map(|job| job.into()).collect();
        assert_eq!(open, ought, "the index of open jobs");
        let counts = self.bed.jobs().counts().unwrap();
        for state in JobState::ALL {
            let ought = all.iter().filter(|job| job.state == state).count();
            assert_eq!(counts.of(state), ought as u64, "{state}");
        }
    }

    /// A process belongs to a job that is held under its lease: before anything else is said of a job, they are dead.
    fn check_processes(&self, all: &[Job]) {
        let mut busy = BTreeSet::new();
        for worker in &self.workers {
            let Some(has) = worker.has.as_ref().filter(|has| has.alive) else { continue };
            let Assignment { job, epoch, program, .. } = &has.assignment;
            let is = all.iter().find(|is| is.id == *job).unwrap();
            let name = &worker.name;
            assert!(
                is.state.is_held() && is.epoch == *epoch,
                "{job} is {} under lease {}, and {name} runs its {program:?} under lease {epoch}",
                is.state,
                is.epoch
            );
            assert!(busy.insert(lane(is)), "two processes are at {}", is.model);
        }
    }

    /// Everything works again: every job comes to its end.
    pub(crate) fn drain(&mut self) {
        self.bed.steps.denied.store(false, Ordering::SeqCst);
        for at in 0..self.workers.len() {
            self.workers[at].cut = false;
            self.start(at);
        }
        for _ in 0..400 {
            if self.all().iter().all(|job| job.state.is_over()) {
                return;
            }
            for at in 0..self.workers.len() {
                self.ask(at, false);
                self.end(at, How::Done, false);
            }
            self.check();
            self.pass(7, true);
        }
        let left: Vec<_> = self.all().into_iter().filter(|job| !job.state.is_over()).collect();
        let why = self.bed.jobs().all_waiting().unwrap();
        panic!("forgotten: {left:#?}\n{why:?}");
    }
}

/// Trainings and hooks of a model do not keep each other waiting.
fn lane(job: &Job) -> (&ModelId, bool) {
    (&job.model, matches!(job.kind, JobKind::Hook(_)))
}
