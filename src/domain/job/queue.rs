use std::cmp::Reverse;
use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::{Job, JobId, JobKind, JobState, Priority, Program, Waiting};
use crate::domain::model::{ModelId, ModelType};
use crate::domain::time::Micros;

/// What the queue needs to know of a job that is not over: a row of some hundred bytes, so that ten thousand of them are
/// looked at in passing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenJob {
    /// Its number.
    pub id: JobId,
    /// For which model.
    pub model: ModelId,
    /// What kind of program the model is; none for a hook's job.
    pub model_type: Option<ModelType>,
    /// What goes first.
    pub priority: Priority,
    /// When it was asked for.
    pub created_at: Micros,
    /// Where it stands.
    pub state: JobState,
    /// Its newest lease.
    pub epoch: u64,
    /// It is not begun before.
    pub not_before: Option<Micros>,
    /// Who has it.
    pub worker: Option<String>,
    /// How long that worker was told that it may go on without a word of ours.
    pub lease_seconds: u32,
    /// Which programs it still needs.
    pub needs: Vec<Program>,
    /// The worker that alone has what was trained.
    pub files_at: Option<String>,
}

impl From<&Job> for OpenJob {
    fn from(job: &Job) -> Self {
        let model_type = match &job.kind {
            JobKind::Training(training) => Some(training.name.model_type),
            JobKind::Hook(_) => None,
        };
        Self {
            id: job.id,
            model: job.model.clone(),
            model_type,
            priority: job.priority,
            created_at: job.created_at,
            state: job.state,
            epoch: job.epoch,
            not_before: job.not_before,
            worker: job.lease.as_ref().map(|lease| lease.worker.clone()),
            lease_seconds: job.lease.as_ref().map_or(0, |lease| lease.seconds),
            needs: job.needs().to_vec(),
            files_at: job.files_at().map(str::to_owned),
        }
    }
}

impl OpenJob {
    /// Trainings and hooks of a model do not keep each other waiting.
    fn lane(&self) -> (&ModelId, bool) {
        (&self.model, self.model_type.is_none())
    }

    /// What goes first is first: by priority, then by age. Each day of waiting counts as one priority more, so that nothing
    /// waits for ever behind what comes later.
    fn rank(&self, now: Micros) -> (Reverse<u64>, JobId) {
        let days = now.0.saturating_sub(self.created_at.0) / Micros::DAY;
        let level = (self.priority as u64).saturating_add(days).min(Priority::High as u64);
        (Reverse(level), self.id)
    }
}

/// Which programs a worker has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Its name.
    pub worker: String,
    /// For each model type.
    pub programs: BTreeMap<ModelType, Vec<Program>>,
    /// Whether it runs the promotion hook.
    pub hook: bool,
}

impl Asking {
    /// The first program that it lacks for a job.
    fn lacks(&self, job: &OpenJob) -> Option<Program> {
        let has = |program: &Program| match (program, job.model_type) {
            (Program::Hook, _) => self.hook,
            (_, None) => true,
            (program, Some(kind)) => self.programs.get(&kind).is_some_and(|programs| programs.contains(program)),
        };
        job.needs.iter().find(|program| !has(program)).copied()
    }
}

/// The queue as it is now.
pub struct Queue<'a> {
    /// Every job that is not over.
    pub open: &'a [OpenJob],
    /// How many training jobs may be held.
    pub running: u32,
    /// The instant: of the order only, which a clock that is set does not harm much.
    pub now: Micros,
    /// Whether a job's pause after a setback goes on, measured without the clock.
    pub pauses: &'a dyn Fn(JobId) -> bool,
    /// Whether a worker has been silent for so long that nobody waits for it.
    pub given_up: &'a dyn Fn(&str) -> bool,
}

impl Queue<'_> {
    /// The job that goes to a worker who asks.
    pub fn next_for(&self, asking: &Asking) -> Option<JobId> {
        let held = self.held();
        let fits = |job: &&OpenJob| {
            job.state == JobState::Pending
                && self.obstacle(job, &held).is_none()
                && asking.lacks(job).is_none()
                && !self.waits_for_another(job, &asking.worker)
        };
        self.open.iter().filter(fits).min_by_key(|job| job.rank(self.now)).map(|job| job.id)
    }

    /// Why each pending job is not begun. `workers` are those that were heard of lately.
    pub fn waiting(&self, workers: &[Asking]) -> BTreeMap<JobId, Waiting> {
        let held = self.held();
        let mut pending: Vec<_> = self.open.iter().filter(|job| job.state == JobState::Pending).collect();
        pending.sort_by_key(|job| job.rank(self.now));
        let mut ahead = 0;
        let mut reasons = BTreeMap::new();
        for job in pending {
            let reason = self.obstacle(job, &held).or_else(|| self.lacking(job, workers));
            let places = matches!(reason, Some(Waiting::Places { .. }) | None);
            reasons.insert(job.id, reason.unwrap_or(Waiting::Queue { ahead }));
            ahead += u32::from(places);
        }
        reasons
    }

    /// The pending jobs, what goes first first.
    pub fn order(&self) -> Vec<JobId> {
        let mut pending: Vec<_> = self.open.iter().filter(|job| job.state == JobState::Pending).collect();
        pending.sort_by_key(|job| job.rank(self.now));
        pending.into_iter().map(|job| job.id).collect()
    }

    /// How many pending jobs only lack somebody who runs them: what the number of workers can follow.
    pub fn wanting(&self) -> u32 {
        let held = self.held();
        let free = |job: &&OpenJob| job.state == JobState::Pending && self.obstacle(job, &held).is_none();
        let mut lanes = std::collections::BTreeSet::new();
        let (hooks, trainings): (Vec<_>, Vec<_>) =
            self.open.iter().filter(free).filter(|job| lanes.insert(job.lane())).partition(|j| j.model_type.is_none());
        let places = self.running.saturating_sub(held.trainings);
        count(hooks.len()) + count(trainings.len()).min(places)
    }

    fn held(&self) -> Held<'_> {
        let held = self.open.iter().filter(|job| job.state.is_held());
        let lanes: BTreeMap<_, _> = held.map(|job| (job.lane(), job.id)).collect();
        Held { trainings: count(lanes.keys().filter(|(_, hook)| !hook).count()), lanes }
    }

    /// What is in a job's way, whoever asks.
    fn obstacle(&self, job: &OpenJob, held: &Held<'_>) -> Option<Waiting> {
        if (self.pauses)(job.id) {
            // A hook that waits for the disk has no instant: it is looked every few seconds.
            return Some(Waiting::Backoff { until: job.not_before.unwrap_or(self.now) });
        }
        if let Some(other) = held.lanes.get(&job.lane()) {
            return Some(Waiting::SameModel { job: *other });
        }
        (job.model_type.is_some() && held.trainings >= self.running).then_some(Waiting::Places { most: self.running })
    }

    /// What the workers lack.
    fn lacking(&self, job: &OpenJob, workers: &[Asking]) -> Option<Waiting> {
        let lacks: Vec<_> = workers.iter().map(|worker| worker.lacks(job)).collect();
        if let (false, first) = (lacks.contains(&None), job.needs.first()) {
            // What the worker that has the most of it lacks is what has to be set up.
            let program = lacks.into_iter().flatten().max().or(first.copied()).unwrap_or(Program::Data);
            return Some(Waiting::NoWorker { program });
        }
        let able = |worker: &&Asking| worker.lacks(job).is_none() && !self.waits_for_another(job, &worker.worker);
        match &job.files_at {
            Some(worker) if !workers.iter().any(|worker| able(&worker)) => {
                Some(Waiting::FilesAt { worker: worker.clone() })
            }
            _ => None,
        }
    }

    /// Whether a job is kept for another worker, that alone has what it trained.
    fn waits_for_another(&self, job: &OpenJob, worker: &str) -> bool {
        job.files_at.as_deref().is_some_and(|at| at != worker && !(self.given_up)(at))
    }
}

/// What is held.
struct Held<'a> {
    trainings: u32,
    lanes: BTreeMap<(&'a ModelId, bool), JobId>,
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
