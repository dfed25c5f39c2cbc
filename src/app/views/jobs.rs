use crate::app::answers::jobs::{JobAnswer, JobPage, JobQuery, StateFilter, WorkerAnswer, WorkerList};
use crate::app::jobs::{JobError, Jobs};
use crate::domain::job::JobState;
use crate::store::{JobCounts, Store};

/// Jobs of the queue that are shown.
const QUEUE: usize = 50;

/// Jobs at work that are shown: there are few places, but workers that were lost may have many.
const RUNNING: usize = 100;

/// Jobs of a page of the history.
const ROWS: usize = 50;

/// The Jobs page.
#[derive(Clone, Debug)]
pub struct JobsView {
    /// What workers have, the newest first.
    pub running: Vec<JobAnswer>,
    /// The first of the queue, what goes first first.
    pub queue: Vec<JobAnswer>,
    /// How many stand where.
    pub counts: JobCounts,
    /// What was asked for; what is over where nothing was.
    pub listed: JobPage,
    /// Those that were heard of, by name.
    pub workers: Vec<WorkerAnswer>,
}

impl JobsView {
    /// Looks it up.
    pub fn find(jobs: &Jobs, store: &Store, asked: &JobQuery) -> Result<Self, JobError> {
        let held = JobQuery { state: Some(StateFilter::Held), limit: Some(RUNNING), ..JobQuery::default() };
        let running = JobPage::find(jobs, store, &held)?.jobs;
        let waits = jobs.queue()?;
        let mut queue = Vec::new();
        for waits in waits.iter().take(QUEUE) {
            // It may have been given to a worker meanwhile.
            if let Some(job) = store.job(waits.job)?.filter(|job| job.state == JobState::Pending) {
                queue.push(JobAnswer::of(&job, Some(waits.why.clone())));
            }
        }
        // Looked at once for both lists: there may be thousands.
        let waiting = waits.into_iter().map(|waits| (waits.job, waits.why)).collect();
        let state = asked.state.unwrap_or(StateFilter::Over);
        let listed = JobQuery { state: Some(state), limit: Some(ROWS), ..asked.clone() };
        Ok(Self {
            running,
            queue,
            counts: jobs.counts()?,
            listed: JobPage::read(store, &listed, waiting)?,
            workers: WorkerList::find(jobs, store)?.workers,
        })
    }

    /// How many wait.
    pub fn pending(&self) -> u64 {
        self.counts.of(JobState::Pending)
    }

    /// How many trainings take a place.
    pub fn held(&self) -> u64 {
        JobState::ALL.into_iter().filter(|state| state.is_held()).map(|state| self.counts.trainings(state)).sum()
    }
}
