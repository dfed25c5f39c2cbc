//! The jobs that a worker has, each with its task.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{self, JoinSet};
use tokio::time::sleep;

use super::job::{self, Outcome};
use super::place::{JobPlace, Place};
use super::watch::{Watch, WatchHandle, Word};
use super::{Context, sweep};
use crate::domain::job::{Assignment, Held, JobId, Program};
use crate::runner::{Adopted, RunError, Runner};

/// How often old directories are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// What is left of a job that does not end is looked at again after this.
const PAUSE: Duration = Duration::from_millis(200);

/// Why it is not known what an earlier worker left.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The directory.
    #[error("{}: {source}: what an earlier worker left there cannot be told, so nothing is begun", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A run in it.
    #[error("what an earlier worker left cannot be told, so nothing is begun: {0}")]
    Run(#[from] RunError),
    /// The thread that looked.
    #[error("what an earlier worker left was not looked at: {0}")]
    Thread(#[source] task::JoinError),
}

/// The jobs.
pub(super) struct Slots {
    context: Context,
    place: Arc<Place>,
    tasks: JoinSet<Outcome>,
    /// By a number of our own: a job may come again under a new lease while the old one is wound up.
    slots: BTreeMap<u64, Slot>,
    next: u64,
    swept: Option<Instant>,
}

struct Slot {
    root: JobId,
    held: Held,
    /// The task that has it.
    task: task::Id,
    /// None where it is only wound up: nobody says then that the worker is at it.
    watch: Option<WatchHandle>,
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

    /// Takes over what an earlier worker left in the directory. Whoever cannot tell what that is must not ask for work: it
    /// would say that it has nothing, and its jobs would begin elsewhere.
    pub(super) async fn adopt(&mut self) -> Result<(), LookError> {
        let (place, runner) = (Arc::clone(&self.place), self.context.runner.clone());
        let found = tokio::task::spawn_blocking(move || look(&place, &runner)).await.map_err(LookError::Thread)??;
        for found in found {
            match found {
                Found::Job(assignment) => {
                    tracing::info!(job = %assignment.job, epoch = assignment.epoch, "taken over from before");
                    self.begin(*assignment);
                }
                Found::Remains { root, held } => {
                    tracing::warn!(job = %held.job, epoch = held.epoch, "what is left of it from before is ended");
                    self.wind_up(root, held);
                }
            }
        }
        Ok(())
    }

    /// Begins, or goes on with, a job.
    pub(super) fn begin(&mut self, assignment: Assignment) {
        let root = assignment.root;
        let mut directory = Arc::default();
        // The daemon gave it anew, so what we had of it before is over there: it is ended before anything else.
        for slot in self.slots.values().filter(|slot| slot.root == root) {
            if let Some(watch) = &slot.watch {
                watch.tell(Word::Stale(format!("it was given anew, under lease {}", assignment.epoch)));
            }
            directory = Arc::clone(&slot.directory);
        }
        let held = Held { job: assignment.job, epoch: assignment.epoch };
        let Context { beats, daemon, .. } = &self.context;
        let watch = Watch::start(beats, daemon.clone(), held.job, held.epoch, assignment.lease_seconds);
        let (handle, alone) = (watch.handle(), Arc::clone(&directory));
        let (context, place) = (self.context.clone(), self.place.job(root));
        let task = self.tasks.spawn(async move {
            // What was before it may not end; meanwhile it may be given to somebody else.
            let mut word = watch.word();
            let _alone = tokio::select! {
                alone = alone.lock_owned() => alone,
                _ = job::stale_word(&mut word) => return Outcome::Dropped,
            };
            job::follow(context, place, assignment, watch).await
        });
        self.add(Slot { root, held, task: task.id(), watch: Some(handle), directory });
    }

    /// Ends what is left in a job's directory, for as long as that takes. The job is ours until then: as long as the daemon
    /// hears so, it does not take its processes for dead.
    fn wind_up(&mut self, root: JobId, held: Held) {
        let directory: Arc<tokio::sync::Mutex<()>> = self
            .slots
            .values()
            .find(|slot| slot.root == root)
            .map_or_else(Arc::default, |slot| Arc::clone(&slot.directory));
        let (alone, place, runner) = (Arc::clone(&directory), self.place.job(root), self.context.runner.clone());
        let task = self.tasks.spawn(async move {
            let _alone = alone.lock_owned().await;
            loop {
                // Before the first try too: what made it necessary may be there still.
                sleep(PAUSE).await;
                let (place, runner) = (place.clone(), runner.clone());
                match tokio::task::spawn_blocking(move || end(&place, &runner)).await {
                    Ok(Ok(())) => return Outcome::Dropped,
                    Ok(Err(error)) => tracing::error!(%root, "{error}; it is tried again"),
                    Err(error) => tracing::error!(%root, "{error}; it is tried again"),
                }
            }
        });
        self.add(Slot { root, held, task: task.id(), watch: None, directory });
    }

    fn add(&mut self, slot: Slot) {
        self.slots.insert(self.next, slot);
        self.next += 1;
    }

    /// Forgets the jobs whose tasks have ended.
    pub(super) fn reap(&mut self) {
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            self.joined(joined);
        }
    }

    /// The next task that ends; none where there is none.
    pub(super) async fn ended(&mut self) -> Option<Outcome> {
        let joined = self.tasks.join_next_with_id().await?;
        Some(self.joined(joined))
    }

    pub(super) async fn all_ended(&mut self) {
        while self.ended().await.is_some() {}
    }

    /// Ends the tasks, and not the programs.
    pub(super) async fn leave(mut self) {
        self.tasks.shutdown().await;
    }

    fn joined(&mut self, joined: Result<(task::Id, Outcome), task::JoinError>) -> Outcome {
        let id = match &joined {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let number = self.slots.iter().find(|(_, slot)| slot.task == id).map(|(number, _)| *number);
        let slot = number.and_then(|number| self.slots.remove(&number));
        match (joined, slot) {
            (Ok((_, outcome)), _) => outcome,
            (Err(error), Some(Slot { root, held, .. })) => {
                tracing::error!(job = %held.job, "its task ended by itself: {error}; its program is ended");
                self.wind_up(root, held);
                Outcome::Dropped
            }
            (Err(error), None) => {
                tracing::error!("a task ended by itself: {error}");
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

/// What an earlier worker left.
enum Found {
    /// A job that it had.
    Job(Box<Assignment>),
    /// A program of a job that it did not have, as far as its directory says: nobody would ever look after it.
    Remains { root: JobId, held: Held },
}

/// Everything that an earlier worker left: jobs, and what runs besides.
fn look(place: &Place, runner: &Runner) -> Result<Vec<Found>, LookError> {
    let jobs = place.jobs().map_err(|source| LookError::Directory { path: place.path().to_owned(), source })?;
    let mut found = Vec::new();
    for job in jobs {
        match job.task() {
            Ok(Some(task)) => {
                found.push(Found::Job(Box::new(task.assignment)));
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(job = %job.root, "what was to be done for it cannot be read: {error}; it is ended");
            }
        }
        let root = job.root;
        for program in Program::ALL {
            let held = match runner.adopt(&job.run(program)) {
                Ok(Adopted::Nothing | Adopted::Exited(_)) => continue,
                Ok(Adopted::Running(running)) => Held { job: running.spec().job, epoch: running.spec().epoch },
                Err(RunError::Remains { job, epoch, .. }) => Held { job, epoch },
                Err(error) => return Err(error.into()),
            };
            found.push(Found::Remains { root, held });
        }
    }
    Ok(found)
}

/// Ends every program in a job's directory, and forgets that there was something to be done.
fn end(job: &JobPlace, runner: &Runner) -> Result<(), LookError> {
    for program in Program::ALL {
        if let Adopted::Running(mut running) = runner.adopt(&job.run(program))? {
            running.kill()?;
            while running.wait(Duration::from_secs(1))?.is_none() {}
        }
    }
    if job.path().exists() {
        job.clear_task().map_err(|source| LookError::Directory { path: job.path().to_owned(), source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
