//! The scheduler at work: what speaks for a training is read, decided by [`crate::domain::schedule`], and written down
//! together with the job that follows from it.
//!
//! Everything here blocks. [`Schedule::trigger`] and [`Schedule::count_trades`] work in the caller's transaction, so what
//! was read of a message and what follows from it are one; [`Schedule::step`] does everything else, some models a transaction.

mod apply;
mod look;
mod read;
mod step;
mod trades;
mod trigger;

use std::sync::Arc;

use tokio::sync::watch;

use crate::app::jobs::{JobError, Jobs};
use crate::app::registry::Ask;
use crate::config;
use crate::domain::access::{Actor, Grant};
use crate::domain::job::Job;
use crate::domain::model::{ModelId, ModelName};
use crate::domain::role::Role;
use crate::domain::schedule::{Rules, TriggerRecord};
use crate::domain::time::Micros;
use crate::observe::metrics::Metrics;
use crate::store::{Store, StoreError};

pub use self::read::{Entry, Plan};
pub use self::step::Stepped;
pub use self::trades::Trades;

/// When which model is trained, and why not yet.
pub struct Schedule {
    store: Arc<Store>,
    jobs: Arc<Jobs>,
    rules: Rules,
    models: Vec<ModelName>,
    span_days: u32,
    metrics: Metrics,
    happened: watch::Sender<u64>,
}

impl Schedule {
    /// The schedule of a data file, as it is configured.
    pub fn new(store: Arc<Store>, jobs: Arc<Jobs>, config: &config::Scheduler, metrics: Metrics) -> Self {
        Self {
            store,
            jobs,
            rules: config.rules(),
            models: config.models.clone(),
            span_days: config.span_days,
            metrics,
            happened: watch::Sender::default(),
        }
    }

    /// Moves on whenever something happened that a step should look at.
    pub fn happenings(&self) -> watch::Receiver<u64> {
        self.happened.subscribe()
    }

    /// By which rules it decides.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// To be called after the commit of a transaction in which something was recorded: it wakes the workers and counts.
    pub fn announce(&self, recorded: &Recorded) {
        self.count(recorded);
        self.happened.send_modify(|count| *count += 1);
    }

    fn count(&self, recorded: &Recorded) {
        for job in &recorded.jobs {
            self.jobs.announce(job);
        }
        for trigger in &recorded.triggers {
            self.metrics.schedule.decided(trigger.reason, &trigger.decision);
        }
    }

    /// The scheduler, as it asks for a job.
    fn ask(now: Micros) -> Ask {
        Ask { actor: Actor::own("scheduler"), grant: Grant::Role(Role::Admin), now, key: None, expected: None }
    }
}

/// A model that the scheduler looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    id: ModelId,
    name: ModelName,
    /// The registry's revision of it; 0 where the registry has none.
    revision: u64,
}

/// What was written down.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "after the commit, `Schedule::announce` wakes the workers"]
pub struct Recorded {
    /// Triggers that were recorded or decided.
    pub triggers: Vec<TriggerRecord>,
    /// Jobs that were created.
    pub jobs: Vec<Job>,
}

impl Recorded {
    /// Takes what was written down elsewhere in the same transaction.
    pub fn add(&mut self, other: Self) {
        self.triggers.extend(other.triggers);
        self.jobs.extend(other.jobs);
    }
}

/// Why the schedule could not be looked at or carried out.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// A job could not be created, or those that there are not be looked at.
    #[error("jobs: {0}")]
    Job(JobError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<JobError> for ScheduleError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Store(error) => Self::Store(error),
            error => Self::Job(error),
        }
    }
}

impl ScheduleError {
    /// Whether it is a matter of disk space, which passes when space is freed.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Store(error) => error.is_full(),
            Self::Job(_) => false,
        }
    }
}

/// Text from outside as a record keeps it: without control characters, and cut where it is long.
fn plain(text: &str, most: usize) -> String {
    let mut plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.len() > most {
        let mut end = most.saturating_sub('…'.len_utf8());
        while !plain.is_char_boundary(end) {
            end -= 1;
        }
        plain.truncate(end);
        plain.push('…');
    }
    plain
}
