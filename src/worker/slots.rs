//! The jobs that a worker has, each with its task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::job::{self, Outcome};
use super::place::{JobPlace, Place};
use super::watch::{Watch, WatchHandle, Word};
use super::{Context, sweep};
use crate::domain::job::{Assignment, Held, JobId, Program};
use crate::runner::{Adopted, Runner};

/// How often old directories are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// The jobs.
pub(super) struct Slots {
    context: Context,
    place: Arc<Place>,
    tasks: JoinSet<(u64, Outcome)>,
    /// By a number of our own: a job may come again under a new lease while the old one is wound up.
    slots: BTreeMap<u64, Slot>,
    next: u64,
    swept: Option<Instant>,
}

struct Slot {
    root: JobId,
    held: Held,
    watch: WatchHandle,
    /// Held by the task for as long as it is in the directory.
    directory: Arc<tokio::sync::Mutex<()>>,
}

impl Slots {
    pub(super) fn new(context: Context, place: Arc<Place>) -> Self {
        Self { context, place, tasks: JoinSet::new(), slots: BTreeMap::new(), next: 0, swept: None }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What this worker has, for the daemon: what is missing here has no process any more.
    pub(super) fn held(&self) -> Vec<Held> {
        self.slots.values().map(|slot| slot.held.clone()).collect()
    }

    /// Takes over what an earlier worker left in the directory.
    pub(super) async fn adopt(&mut self) {
        let (place, runner) = (Arc::clone(&self.place), self.context.runner.clone());
        let found = tokio::task::spawn_blocking(move || look(&place, &runner)).await.unwrap_or_default();
        for assignment in found {
            tracing::info!(job = %assignment.job, epoch = assignment.epoch, "taken over from before");
            self.begin(assignment);
        }
    }

    /// Begins, or goes on with, a job.
    pub(super) fn begin(&mut self, assignment: Assignment) {
        let (root, number) = (assignment.root, self.next);
        self.next += 1;
        let mut directory = Arc::default();
        // The daemon gave it anew, so what we had of it before is over there: it is ended before anything else.
        for slot in self.slots.values().filter(|slot| slot.root == root) {
            slot.watch.tell(Word::Stale(format!("it was given anew, under lease {}", assignment.epoch)));
            directory = Arc::clone(&slot.directory);
        }
        let held = Held { job: assignment.job, epoch: assignment.epoch };
        let watch = Watch::start(self.context.daemon.clone(), held.job, held.epoch, assignment.lease_seconds);
        let slot = Slot { root, held, watch: watch.handle(), directory: Arc::clone(&directory) };
        self.slots.insert(number, slot);
        let (context, place) = (self.context.clone(), self.place.job(root));
        self.tasks.spawn(async move {
            let _alone = directory.lock_owned().await;
            (number, job::follow(context, place, assignment, watch).await)
        });
    }

    /// Forgets the jobs whose tasks have ended.
    pub(super) fn reap(&mut self) {
        while let Some(joined) = self.tasks.try_join_next() {
            self.joined(joined);
        }
    }

    /// The next task that ends; none where there is none.
    pub(super) async fn ended(&mut self) -> Option<Outcome> {
        let joined = self.tasks.join_next().await?;
        Some(self.joined(joined))
    }

    pub(super) async fn all_ended(&mut self) {
        while self.ended().await.is_some() {}
    }

    /// Ends the tasks, and not the programs.
    pub(super) async fn leave(mut self) {
        self.tasks.shutdown().await;
    }

    fn joined(&mut self, joined: Result<(u64, Outcome), tokio::task::JoinError>) -> Outcome {
        match joined {
            Ok((number, outcome)) => {
                self.slots.remove(&number);
                outcome
            }
            Err(error) => {
                // Which one it was is not known; nobody renews its lease, so its program ends. It stays held until the
                // worker is started anew, which looks at its directory.
                tracing::error!("a job's task ended by itself: {error}; its program ends with its lease");
                Outcome::Dropped
            }
        }
    }

    /// Removes old directories now and then.
    pub(super) async fn sweep(&mut self) {
        if self.swept.is_some_and(|swept| swept.elapsed() < SWEEP) {
            return;
        }
        self.swept = Some(Instant::now());
        let held: Vec<_> = self.slots.values().map(|slot| slot.root).collect();
        let place = Arc::clone(&self.place);
        let sweeping = tokio::task::spawn_blocking(move || sweep::sweep(&place, |root| held.contains(&root)));
        if let Ok(Err(error)) = sweeping.await {
            tracing::warn!("old directories of jobs cannot be looked through: {error}");
        }
    }
}

/// Every job that the directory says we have. Whatever else runs there is ended: nobody would ever look after it.
fn look(place: &Place, runner: &Runner) -> Vec<Assignment> {
    let jobs = match place.jobs() {
        Ok(jobs) => jobs,
        Err(error) => {
            tracing::error!("{}: {error}: what an earlier worker left there is not taken over", place.path().display());
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for job in jobs {
        match job.task() {
            Ok(Some(task)) => found.push(task.assignment),
            Ok(None) => end(&job, runner),
            Err(error) => {
                tracing::error!(job = %job.root, "what was to be done for it cannot be read: {error}; it is ended");
                end(&job, runner);
            }
        }
    }
    found
}

fn end(job: &JobPlace, runner: &Runner) {
    for program in [Program::Data, Program::Train, Program::Evaluate, Program::Hook] {
        let ended = runner.adopt(&job.run(program)).and_then(|adopted| match adopted {
            Adopted::Running(mut running) => running.kill(),
            Adopted::Nothing | Adopted::Exited(_) => Ok(()),
        });
        if let Err(error) = ended {
            tracing::error!(job = %job.root, "{error}");
        }
    }
}
