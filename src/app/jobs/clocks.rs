//! How long somebody was silent, and how long a pause still is: in memory, moved on by the ticks of the running daemon.
//! No stored instant decides anything, because clocks are set; and what passes between two daemons counts against nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::job::{
    Asking, Held, Job, JobId, JobKind, JobState, Lease, LeaseRequest, OpenJob, Patience, Program,
};
use crate::domain::model::ModelType;
use crate::domain::time::Micros;

/// A worker that was heard of within this counts when it is asked who could do something: two of the longest heartbeats.
const LATELY: Duration = Duration::from_secs(120);

/// How long a job is kept for the worker that alone has what was trained.
const FILES_PATIENCE: Duration = Duration::from_secs(600);

/// A worker that was not heard of for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(86_400);

/// Workers that are remembered.
const MOST_WORKERS: usize = 1_000;

/// A pause that a stored instant claims is no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1_800);

/// A worker that was heard of since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSeen {
    /// Its name.
    pub name: String,
    /// Which worker of that name.
    pub instance: String,
    /// Its machine.
    pub host: String,
    /// The boot of that machine, and when after it the worker last asked for work.
    pub sent: (String, u64),
    /// Whether it has asked for work: before that, all that is known of its programs is that it has those of its job.
    pub asked: bool,
    /// Which programs it has, for each model type.
    pub programs: BTreeMap<ModelType, Vec<Program>>,
    /// Whether it runs the promotion hook.
    pub hook: bool,
    /// What it had when it last asked for work.
    pub held: Vec<Held>,
    /// When it was last heard of.
    pub heard_at: Micros,
    /// How long ago that is, measured without the clock.
    pub silent: Duration,
}

impl WorkerSeen {
    /// Whether it was heard of lately.
    pub fn is_here(&self) -> bool {
        self.silent <= LATELY
    }

    pub(super) fn asking(&self) -> Asking {
        Asking { worker: self.name.clone(), programs: self.programs.clone(), hook: self.hook }
    }
}

/// How long a job's worker was silent.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    epoch: u64,
    /// How long it was told that it may be, perhaps by a daemon that was configured otherwise.
    granted: Duration,
    silent: Duration,
    /// For how long the job is lost.
    lost: Option<Duration>,
    /// It was lost when this daemon started. While there was none, its worker may have gone on for as long as a lease.
    was_lost: bool,
}

/// What a request for work says of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// How it is with that worker.
    Now,
    /// How it was with it: a request that it sent later was here before.
    Late,
    /// Another worker of that name was heard of just now.
    Another {
        /// That one's machine.
        host: String,
    },
}

/// What is due for a held job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Its worker was silent for too long.
    Lose(JobId, u64),
    /// It is lost for so long that none of its processes can be alive.
    Release(JobId, u64),
}

fn granted(job: &OpenJob) -> Duration {
    Duration::from_secs(job.lease_seconds.into())
}

/// All of it.
#[derive(Default)]
pub(super) struct Clocks {
    /// Whether what the file says of open jobs is in here.
    pub(super) loaded: bool,
    running: Duration,
    held: BTreeMap<JobId, Silence>,
    pauses: BTreeMap<JobId, Duration>,
    workers: BTreeMap<String, WorkerSeen>,
    /// Since when, on the clock of the running daemon, some job has had no worker that could do it.
    unserved: Option<Duration>,
    /// The newest job that workers were woken for.
    pub(super) newest: u64,
}

impl Clocks {
    /// Takes over what an earlier daemon left: every held job gets a fresh lease, and a pause ends when it would have, but
    /// within half an hour.
    pub(super) fn load(&mut self, open: &[OpenJob], now: Micros) {
        self.loaded = true;
        for job in open {
            if job.state.is_held() {
                let lost = (job.state == JobState::Lost).then_some(Duration::ZERO);
                let silence = Silence {
                    epoch: job.epoch,
                    granted: granted(job),
                    silent: Duration::ZERO,
                    lost,
                    was_lost: lost.is_some(),
                };
                self.held.insert(job.id, silence);
            } else if let Some(until) = job.not_before {
                let left = Duration::from_micros(until.0.saturating_sub(now.0));
                self.pauses.insert(job.id, left.min(LONGEST_PAUSE));
            }
        }
    }

    /// Makes them agree with the file: a commit may have been made although its answer was an error.
    pub(super) fn agree(&mut self, open: &[OpenJob]) {
        let held: BTreeMap<_, _> = open.iter().filter(|job| job.state.is_held()).map(|job| (job.id, job)).collect();
        self.held.retain(|id, _| held.contains_key(id));
        for (id, job) in held {
            let silence = self.held.entry(id).or_default();
            if silence.epoch != job.epoch {
                *silence = Silence { epoch: job.epoch, ..Silence::default() };
            }
            silence.granted = granted(job);
            if (job.state == JobState::Lost) != silence.lost.is_some() {
                silence.lost = (job.state == JobState::Lost).then_some(Duration::ZERO);
            }
        }
    }

    /// A job is as it is now; `heard` when its worker said so.
    pub(super) fn follow(&mut self, job: &Job, heard: bool, patience: Patience, now: Micros) {
        self.pauses.remove(&job.id);
        if !job.state.is_held() {
            self.held.remove(&job.id);
            if let (JobState::Pending, Some(_)) = (job.state, job.not_before) {
                self.pauses.insert(job.id, patience.pause(job.setbacks).unwrap_or_default());
            }
            return;
        }
        let silence = self.held.entry(job.id).or_default();
        if heard || silence.epoch != job.epoch {
            *silence = Silence { epoch: job.epoch, ..Silence::default() };
        }
        silence.granted = Duration::from_secs(job.lease.as_ref().map_or(0, |lease| lease.seconds).into());
        silence.lost = (job.state == JobState::Lost).then(|| silence.lost.unwrap_or_default());
        if let (true, Some(lease)) = (heard, &job.lease) {
            // After our own start a worker may say much of its job before it asks for another one.
            let worker = self.workers.entry(lease.worker.clone()).or_insert_with(|| at_work(lease, job, now));
            if worker.instance == lease.instance {
                (worker.heard_at, worker.silent) = (now, Duration::ZERO);
            }
        }
    }

    /// A worker asks for work.
    pub(super) fn heard_of(&mut self, request: &LeaseRequest, lease: Duration, now: Micros) -> Heard {
        let LeaseRequest { worker, instance, host, programs, hook, held, boot, sent, .. } = request.clone();
        match self.workers.get(&worker) {
            Some(known) if known.instance != instance && known.silent < lease => {
                return Heard::Another { host: known.host.clone() };
            }
            Some(known) if known.instance == instance && known.sent.0 == boot && known.sent.1 > sent => {
                return Heard::Late;
            }
            _ => {}
        }
        let (name, sent, silent) = (worker.clone(), (boot, sent), Duration::ZERO);
        let seen = WorkerSeen { name, instance, host, sent, asked: true, programs, hook, held, heard_at: now, silent };
        self.workers.insert(worker, seen);
        if self.workers.len() > MOST_WORKERS {
            let longest = self.workers.values().max_by_key(|worker| worker.silent).map(|worker| worker.name.clone());
            longest.and_then(|name| self.workers.remove(&name));
        }
        Heard::Now
    }

    /// Time passes; what is due then. Whether a pause has ended.
    pub(super) fn tick(&mut self, elapsed: Duration, lease: Duration, fence: Duration) -> (Vec<Due>, bool) {
        self.running += elapsed;
        let paused = self.pauses.len();
        self.pauses.retain(|_, left| {
            *left = left.saturating_sub(elapsed);
            !left.is_zero()
        });
        self.workers.retain(|_, worker| {
            worker.silent += elapsed;
            worker.silent < FORGOTTEN
        });
        let mut due = Vec::new();
        for (job, silence) in &mut self.held {
            silence.silent += elapsed;
            let lease = lease.max(silence.granted);
            match &mut silence.lost {
                Some(lost) => {
                    *lost += elapsed;
                    let until = if silence.was_lost { lease + fence } else { fence };
                    due.extend((*lost >= until).then_some(Due::Release(*job, silence.epoch)));
                }
                None => due.extend((silence.silent >= lease).then_some(Due::Lose(*job, silence.epoch))),
            }
        }
        (due, self.pauses.len() < paused)
    }

    /// A job is not to begin for so long.
    pub(super) fn pause(&mut self, job: JobId, pause: Duration) {
        self.pauses.insert(job, pause);
    }

    /// Whether a job's pause after a setback goes on.
    pub(super) fn is_paused(&self, job: JobId) -> bool {
        self.pauses.contains_key(&job)
    }

    /// Whether a worker has been silent for so long that nobody waits for what it has.
    pub(super) fn is_given_up(&self, worker: &str) -> bool {
        self.workers.get(worker).map_or(self.running, |worker| worker.silent) > FILES_PATIENCE
    }

    /// Some job has no worker that could do it, or none: for how long that is so.
    pub(super) fn unserved(&mut self, some: bool) -> Duration {
        let since = some.then(|| self.unserved.unwrap_or(self.running));
        self.unserved = since;
        self.running.saturating_sub(since.unwrap_or(self.running))
    }

    /// Every worker that is remembered, by name.
    pub(super) fn workers(&self) -> impl Iterator<Item = &WorkerSeen> {
        self.workers.values()
    }
}

/// A worker of which nothing is known but that it has a job: so it has that job's programs.
fn at_work(lease: &Lease, job: &Job, now: Micros) -> WorkerSeen {
    let (programs, hook) = match &job.kind {
        JobKind::Training(training) => (
            BTreeMap::from([(training.name.model_type, vec![Program::Data, Program::Train, Program::Evaluate])]),
            false,
        ),
        JobKind::Hook(_) => (BTreeMap::new(), true),
    };
    WorkerSeen {
        name: lease.worker.clone(),
        instance: lease.instance.clone(),
        host: lease.host.clone(),
        sent: (String::new(), 0),
        asked: false,
        programs,
        hook,
        held: vec![Held { job: job.id, epoch: job.epoch }],
        heard_at: now,
        silent: Duration::ZERO,
    }
}
