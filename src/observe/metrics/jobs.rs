use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Labels, Level};
use crate::domain::job::{Job, JobKind, JobState};

/// Figures of jobs.
#[derive(Clone, Debug)]
pub struct JobMetrics {
    /// Pending jobs that only lack somebody who runs them.
    pub waiting: Level,
    /// Workers that were heard of lately.
    pub workers: Level,
    /// Jobs whose worker was not heard of.
    pub lost: Counter,
    /// Jobs that were given back, to be tried again.
    pub requeued: Counter,
    /// What workers said under a lease that they did not have.
    pub stale: Counter,
    states: Family<Labels, Level>,
    over: Family<Labels, Counter>,
    seconds: Family<Labels, Counter<f64, AtomicU64>>,
}

impl JobMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            waiting: Level::default(),
            workers: Level::default(),
            lost: Counter::default(),
            requeued: Counter::default(),
            stale: Counter::default(),
            states: Family::default(),
            over: Family::default(),
            seconds: Family::default(),
        };
        registry.register("jobs", "Jobs that are kept, by state", metrics.states.clone());
        let about = "Pending jobs that only lack a worker: no pause, no other job of their model, a place free";
        registry.register("jobs_waiting", about, metrics.waiting.clone());
        registry.register("workers", "Workers that were heard of lately", metrics.workers.clone());
        registry.register("jobs_lost", "Jobs whose worker was not heard of", metrics.lost.clone());
        registry.register("jobs_requeued", "Jobs that were given back, to be tried again", metrics.requeued.clone());
        let about = "Requests of workers that were refused because the job was not theirs any more";
        registry.register("jobs_stale_writes", about, metrics.stale.clone());
        registry.register("jobs_over", "Jobs that came to their end", metrics.over.clone());
        let about = "Seconds from the first lease to the end of jobs that came to it";
        registry.register("job_duration_seconds", about, metrics.seconds.clone());
        // From the start on, so that a first failure is an increase and no new line.
        for state in JobState::ALL {
            metrics.stand(state, 0);
            for kind in [TRAINING, HOOK].into_iter().filter(|_| state.is_over()) {
                let labels = outcome(kind, state);
                metrics.over.get_or_create_owned(&labels).inc_by(0);
                metrics.seconds.get_or_create_owned(&labels).inc_by(0.0);
            }
        }
        metrics
    }

    /// How many jobs stand there.
    pub fn stand(&self, state: JobState, jobs: u64) {
        self.states.get_or_create_owned(&vec![("state", state.as_str().to_owned())]).set(jobs);
    }

    /// A job has gone from one state to another.
    pub fn moved(&self, before: &Job, job: &Job) {
        match job.state {
            JobState::Lost => _ = self.lost.inc(),
            JobState::Pending if before.state.is_held() => _ = self.requeued.inc(),
            _ => {}
        }
        let Some(ended) = job.ended_at else { return };
        let kind = match job.kind {
            JobKind::Training(_) => TRAINING,
            JobKind::Hook(_) => HOOK,
        };
        let labels = outcome(kind, job.state);
        self.over.get_or_create_owned(&labels).inc();
        let micros = job.started_at.map_or(0, |began| ended.0.saturating_sub(began.0));
        #[allow(clippy::cast_precision_loss, reason = "53 bits of microseconds are 285 years")]
        self.seconds.get_or_create_owned(&labels).inc_by(micros as f64 / 1e6);
    }
}

const TRAINING: &str = "training";
const HOOK: &str = "hook";

fn outcome(kind: &str, state: JobState) -> Labels {
    vec![("kind", kind.to_owned()), ("outcome", state.as_str().to_owned())]
}
