//! What keeps a job ours: beats, for as long as this worker has it. They renew the lease of its supervisor, bring the daemon
//! how far the program is, and bring us what the daemon wants.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::answer::read_progress;
use super::daemon::{Daemon, Trouble};
use super::lease::{Lease, since_boot};
use crate::domain::job::{Beat, JobId};
use crate::runner::{RunError, Running};

/// What the daemon wants with a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Word {
    /// It has not been asked yet.
    #[default]
    Unasked,
    /// That it goes on.
    Go,
    /// It was called off.
    Cancelled(String),
    /// It is not ours any more.
    Stale(String),
}

/// A job that this worker has. Dropping it ends the beats.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    beats: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    daemon: Daemon,
    job: JobId,
    epoch: u64,
    lease: Mutex<Lease>,
    run: Mutex<Option<Run>>,
    word: watch::Sender<Word>,
}

/// The program of the job that runs now.
#[derive(Debug)]
struct Run {
    running: Running,
    /// Its working directory.
    work: PathBuf,
}

impl Watch {
    /// Begins to beat, on `beats`: threads that do nothing else, because nothing else that a worker does, such as reading
    /// large files for an upload, may keep a beat waiting.
    pub(super) fn start(beats: &Handle, daemon: Daemon, job: JobId, epoch: u64, lease_seconds: u32) -> Self {
        let shared = Arc::new(Shared {
            daemon,
            job,
            epoch,
            lease: Mutex::new(Lease::unconfirmed(lease_seconds)),
            run: Mutex::new(None),
            word: watch::Sender::new(Word::Unasked),
        });
        let beats = beats.spawn(Arc::clone(&shared).beat());
        Self { shared, beats }
    }

    /// What the daemon wants, and when that changes.
    pub(super) fn word(&self) -> watch::Receiver<Word> {
        self.shared.word.subscribe()
    }

    /// Waits until there is time enough to begin something: only under a lease that was just confirmed. Until when that is,
    /// since the boot. Whoever waits has to look at the word as well: a job that is not ours any more is never fresh again.
    pub(super) async fn fresh(&self) -> Duration {
        let mut word = self.word();
        loop {
            let lease = *self.shared.lease();
            if let Some(until) = lease.fresh(since_boot()) {
                return until;
            }
            tokio::select! {
                changed = word.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = sleep(lease.beat().min(Duration::from_millis(200))) => {}
            }
        }
    }

    /// The program that runs now. It may go on until the job's lease is over.
    pub(super) fn has(&self, mut running: Running, work: PathBuf) -> Result<(), RunError> {
        let until = self.shared.lease().until(since_boot());
        let renewed = until.map_or(Ok(()), |until| running.renew_lease(until));
        *self.shared.run() = Some(Run { running, work });
        renewed
    }

    /// The same for one that an earlier worker began under this lease, which is as old as that worker left it.
    pub(super) fn takes_over(&self, running: Running, work: PathBuf) -> Result<(), RunError> {
        self.shared.lease().take_over(running.until());
        self.has(running, work)
    }

    /// The program is over.
    pub(super) fn over(&self) {
        *self.shared.run() = None;
    }

    /// The same watch, for a thread that may block.
    pub(super) fn handle(&self) -> WatchHandle {
        WatchHandle(Arc::clone(&self.shared))
    }
}

/// A [`Watch`] that does not end it.
#[derive(Clone, Debug)]
pub(super) struct WatchHandle(Arc<Shared>);

impl WatchHandle {
    /// The job was given anew.
    pub(super) fn tell(&self, word: Word) {
        self.0.tell(word);
    }

    /// Looks at the program that runs now. Blocking.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.0.run().as_mut().map(|run| look(&mut run.running))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

impl Shared {
    fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is worse stays: nothing makes a job ours again.
    fn tell(&self, word: Word) {
        let rank = |word: &Word| match word {
            Word::Unasked => 0,
            Word::Go => 1,
            Word::Cancelled(_) => 2,
            Word::Stale(_) => 3,
        };
        self.word.send_if_modified(|now| {
            let further = rank(&word) > rank(now);
            if further {
                *now = word;
            }
            further
        });
    }

    async fn beat(self: Arc<Self>) {
        let mut is_away = false;
        loop {
            let shared = Arc::clone(&self);
            let beat = tokio::task::spawn_blocking(move || shared.figures()).await.unwrap_or_else(|_| self.bare());
            let pause = self.lease().beat();
            let asked = since_boot();
            let answer = self.daemon.beat(self.job, &beat, pause.max(Duration::from_secs(1))).await;
            let mut is_here = true;
            match answer {
                Ok(answer) => {
                    self.lease().confirm(asked, answer.lease_seconds);
                    self.tell(answer.cancelled.map_or(Word::Go, Word::Cancelled));
                }
                Err(Trouble::Stale(why)) => return self.tell(Word::Stale(why)),
                // It is this machine's, and dead: nobody counts, and it counts anew when it starts. Where systemd has the socket,
                // it takes the connection all the same, and nobody answers.
                Err(Trouble::Down(_) | Trouble::Silent(_) | Trouble::Away(_)) if self.daemon.is_dead().await => {
                    self.lease().extend(asked);
                }
                Err(trouble) => {
                    is_here = false;
                    if !is_away {
                        tracing::warn!(job = %self.job, "the daemon hears nothing of us: {trouble}; it is tried again");
                    }
                }
            }
            if is_away && is_here {
                tracing::info!(job = %self.job, "the daemon hears of us again");
            }
            is_away = !is_here;
            let shared = Arc::clone(&self);
            // Its own thread: the disk may take its time.
            let _ = tokio::task::spawn_blocking(move || shared.renew()).await;
            // A beat that was lost is tried again sooner.
            sleep(if is_here { pause } else { pause / 4 }).await;
        }
    }

    fn renew(&self) {
        let until = self.lease().until(since_boot());
        let mut run = self.run();
        if let Some(run) = run.as_mut()
            && let Some(until) = until
            && let Err(error) = run.running.renew_lease(until)
        {
            tracing::warn!(job = %self.job, "its supervisor's lease cannot be renewed: {error}");
        }
    }

    fn bare(&self) -> Beat {
        Beat { epoch: self.epoch, progress: None, message: None, resources: Default::default() }
    }

    /// How far the program is, and what it takes.
    fn figures(&self) -> Beat {
        let mut beat = self.bare();
        if let Some(run) = self.run().as_ref() {
            let progress = read_progress(&run.work).ok().flatten().unwrap_or_default();
            (beat.progress, beat.message) = (progress.progress, progress.message);
            beat.resources = run.running.usage().map(|usage| usage.resources).unwrap_or_default();
        }
        beat
    }
}

#[cfg(test)]
mod tests;
