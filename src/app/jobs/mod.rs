//! Jobs: asked for, given to workers, followed to their one end.
//!
//! Everything here blocks but [`Jobs::lease_or_wait`]. A job's row is changed in one transaction with what follows from it;
//! the decisions are methods of [`Job`], and what a worker says is checked against its lease within that transaction. How
//! long somebody was silent is measured here, in memory, by the ticks of the running daemon ([`clocks`]): neither a clock
//! that is set nor a daemon that was stopped makes a job lost.

mod answer;
mod change;
mod clocks;
mod create;
mod follow;
pub(in crate::app) mod hook;
mod journal;
mod lease;
mod logs;
mod orchestrate;
mod queue;
mod read;
mod request;
mod retention;
mod tick;
mod training;
mod turns;

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use self::clocks::Clocks;
use self::turns::Turns;
use crate::app::change::KeyUsed;
use crate::config;
use crate::domain::job::{BadJobId, Job, JobId, Refusal};
use crate::domain::time::Micros;
use crate::observe::metrics::Metrics;
use crate::store::{Store, StoreError};

pub use self::clocks::WorkerSeen;
pub use self::orchestrate::{Next, Orchestrate, Orchestrator};
pub use self::queue::Waits;
pub use self::read::{JobQuery, Survey};
pub use self::retention::log_directory;
pub use self::training::{Asked, Subject};

/// The longest evidence.
pub const EVIDENCE_BYTES: usize = 2_000;

/// What was last changed: for whoever waits for something to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many changes there were since the daemon started.
    pub count: u64,
    /// Whose the last one was.
    pub job: Option<JobId>,
}

/// Tells the present: to people only, nothing is decided by it but the order of the queue.
pub type Clock = Box<dyn Fn() -> Micros + Send + Sync>;

/// Jobs and the workers that were heard of.
pub struct Jobs {
    store: Arc<Store>,
    config: config::Jobs,
    metrics: Metrics,
    orchestrator: Box<dyn Orchestrate>,
    now: Clock,
    clocks: Mutex<Clocks>,
    turns: Turns,
    /// Taken while a piece of a log is written, one for the jobs of each rest.
    logs: [Mutex<()>; 16],
    order: Mutex<()>,
    changed: watch::Sender<Changed>,
    work: watch::Sender<u64>,
}

impl Jobs {
    /// The jobs of a data file. `orchestrator` does what follows upon programs' answers.
    pub fn new(
        store: Arc<Store>,
        config: config::Jobs,
        metrics: Metrics,
        orchestrator: Box<dyn Orchestrate>,
        now: Clock,
    ) -> Self {
        Self {
            store,
            config,
            metrics,
            orchestrator,
            now,
            clocks: Mutex::default(),
            turns: Turns::default(),
            logs: Default::default(),
            order: Mutex::default(),
            changed: watch::Sender::default(),
            work: watch::Sender::default(),
        }
    }

    /// Tells of every change of a job.
    pub fn changes(&self) -> watch::Receiver<Changed> {
        self.changed.subscribe()
    }

    /// To be called after the commit of a transaction in which [`Jobs::create_in`] made a job: it wakes the workers.
    pub fn announce(&self, job: &Job) {
        self.tell(job.id);
        self.work.send_modify(|count| *count += 1);
    }

    fn tell(&self, job: JobId) {
        self.changed.send_modify(|changed| *changed = Changed { count: changed.count + 1, job: Some(job) });
    }
}

/// Why a job stays as it is, or there is none.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is no such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// No job's id.
    #[error(transparent)]
    Id(#[from] BadJobId),
    /// It is not whom the caller takes it for, or nothing for where it stands.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A value that does not do.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A training of that model is not over: it is what was asked for.
    #[error("{0} trains this model already: wait for it, or cancel it")]
    Open(JobId),
    /// It was done again already: two that go on behind the same steps would do the rest twice.
    #[error("{job} was done again as {by}: look at that one, and do it again if it came to nothing")]
    Again {
        /// Which.
        job: JobId,
        /// As which.
        by: JobId,
    },
    /// As many jobs wait as may.
    #[error("{0} jobs are open, as many as jobs.waiting allows: cancel some, or start more workers")]
    Full(u32),
    /// Two workers use one name.
    #[error(
        "another worker asks as {name}, on {host}: give each its own worker.name; after a worker's directory was emptied, wait"
    )]
    Name {
        /// The name.
        name: String,
        /// The other one's machine.
        host: String,
    },
    /// The key has done something else already.
    #[error("{KeyUsed}")]
    KeyUsed,
    /// What follows upon a program's answer could not be done now, and is to be tried again.
    #[error("{what}: {source}")]
    Orchestration {
        /// What.
        what: &'static str,
        /// What is in its way.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is kept as JSON.
    #[error("what is kept of a job: {0}")]
    Json(#[from] serde_json::Error),
    /// A query that makes no sense.
    #[error(transparent)]
    Query(#[from] crate::app::answers::QueryError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] crate::app::registry::RegistryError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KeyUsed> for JobError {
    fn from(_: KeyUsed) -> Self {
        Self::KeyUsed
    }
}

impl JobError {
    fn bad(field: &str, why: impl Into<String>) -> Self {
        Self::Bad { field: field.to_owned(), why: why.into() }
    }

    /// Whether a worker spoke of a lease that it does not have.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Stale { .. }))
    }
}
