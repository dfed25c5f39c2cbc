//! The worker: a process of its own, on this machine or another, that has no data file. It asks the daemon for jobs, runs the
//! operator's programs for them, and tells what came of it.
//!
//! ```text
//! lease ─▶ job.rs: one task a job ─▶ program.rs: directories, runner, answer ─▶ report ─▶ files ─▶ the next program … over
//!            ├ watch.rs   beats: renew the supervisor's lease, hear of a cancel, of a job that is not ours any more
//!            └ ship.rs    the log, as it grows
//! ```
//!
//! What it has is in its directory (`place.rs`): a worker that is started anew takes over what runs, reports what has ended,
//! and ends what is left of the rest. Nothing is begun but under a lease that the daemon has just confirmed, and nothing is
//! said of a job before none of its processes is left.

mod answer;
mod check;
mod daemon;
mod files;
mod job;
mod kept;
mod lease;
mod place;
mod program;
mod programs;
mod ship;
mod slots;
mod summary;
mod sweep;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch as tokio_watch;
use tokio::time::sleep;

use self::daemon::{Daemon, Trouble};
use self::job::Outcome;
use self::lease::since_boot;
use self::place::Place;
use self::programs::{Programs, Ready};
use self::slots::Slots;
use crate::config::Config;
use crate::domain::job::{Ending, LeaseRequest};
use crate::http::client::Client;
use crate::runner::Runner;
use crate::stop::{Stop, Stopping};

pub use self::check::{CheckError, Checked, Checks, check, directory, remove};
pub use self::place::PlaceError;
pub use self::slots::LookError;

/// How long the daemon may wait for work to come, in seconds.
const WAIT: u32 = 25;

/// The same while something of ours is to be mended: as soon as it is, it counts.
const WAIT_FAULTY: u32 = 3;

/// Pauses while the daemon is away, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How long reports may take once programs were ended, because the worker stops.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// What becomes of programs when the worker is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// They go on; the next worker of this directory takes them over, as long as it comes within the lease.
    Leave,
    /// They are waited for, and nothing new is taken. Asked again, they are ended.
    Finish,
    /// They are ended, and that is reported: their jobs are tried again.
    End,
}

/// How a worker is to work.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// One job, and no more: how long it waits for it, in seconds.
    pub once: Option<u32>,
    /// What becomes of programs when it is stopped.
    pub on_stop: OnStop,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped.
    Stopped,
    /// The one job was done.
    Done,
    /// The one job came to nothing here.
    Failed,
    /// There was no job.
    Nothing,
    /// It cannot work as it is configured; its log says why.
    Misconfigured,
}

/// Why a worker does not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// There is nothing that it could run.
    #[error(
        "there is nothing to run: name the programs of a model type in [adapters.<type>], or promotion.hook (docs/ADAPTERS.md)"
    )]
    NoPrograms,
    /// Nobody could beat.
    #[error("cannot start a thread: {0}")]
    Threads(#[source] std::io::Error),
    /// What it finds in its directory.
    #[error(transparent)]
    Look(#[from] LookError),
    /// Without it nobody can tell what came first.
    #[error("cannot read the boot of this machine: {0}: mount /proc")]
    Boot(#[source] std::io::Error),
}

/// What every job's task needs. Cheap to clone.
#[derive(Clone)]
struct Context {
    daemon: Daemon,
    runner: Runner,
    programs: Arc<Programs>,
    grace: Duration,
    log_bytes: u64,
    /// What beats run on.
    beats: Handle,
    /// Whether programs are to be ended.
    ends: tokio_watch::Receiver<bool>,
}

/// Threads for beats alone. Dropping it ends them without waiting.
struct Beats(Option<Runtime>);

impl Beats {
    fn start() -> std::io::Result<(Self, Handle)> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("beats").enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The worker.
pub struct Worker {
    context: Context,
    place: Arc<Place>,
    name: String,
    host: String,
    boot: String,
    most: usize,
    end: tokio_watch::Sender<bool>,
    /// What was in the way when it was last looked.
    faults: Vec<String>,
    _beats: Beats,
}

impl Worker {
    /// A worker with this configuration, alone in its directory.
    pub fn new(config: &Config) -> Result<Self, WorkerError> {
        let programs = Programs::of(config);
        if programs.is_empty() {
            return Err(WorkerError::NoPrograms);
        }
        let place = Arc::new(Place::open(&config.worker.directory)?);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name = if config.worker.name.is_empty() { host.clone() } else { config.worker.name.clone() };
        let (end, ends) = tokio_watch::channel(false);
        let (own_beats, beats) = Beats::start().map_err(WorkerError::Threads)?;
        let context = Context {
            daemon: Daemon::new(Client::of_worker(&config.worker, &config.http.socket)),
            runner: Runner::of_this_binary(),
            programs: Arc::new(programs),
            grace: config.worker.grace,
            log_bytes: config.jobs.log_bytes,
            beats,
            ends,
        };
        let most = usize::try_from(config.worker.slots).unwrap_or(1);
        let boot = crate::runner::boot().map_err(WorkerError::Boot)?;
        Ok(Self { context, place, name, host, boot, most, end, faults: Vec::new(), _beats: own_beats })
    }

    /// Where its daemon is.
    pub fn daemon(&self) -> String {
        self.context.daemon.place()
    }

    /// What the daemon knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Works until it is stopped, or for one job.
    pub async fn run(mut self, mode: Mode, stopping: Stopping) -> Result<Ended, WorkerError> {
        let mut slots = Slots::new(self.context.clone(), Arc::clone(&self.place));
        slots.adopt().await?;
        let ended = match mode.once {
            Some(wait) => self.once(&mut slots, wait, &stopping).await,
            None => self.always(&mut slots, &stopping).await,
        };
        if stopping.is_asked() {
            self.stop(slots, mode.on_stop, &stopping).await;
        }
        Ok(ended)
    }

    async fn always(&mut self, slots: &mut Slots, stopping: &Stopping) -> Ended {
        let mut pause = PAUSES.0;
        loop {
            slots.reap();
            slots.sweep().await;
            if slots.len() >= self.most {
                tokio::select! {
                    _ = slots.ended() => {}
                    () = stopping.asked() => return Ended::Stopped,
                }
                continue;
            }
            let request = self.request(slots, WAIT).await;
            // Not given up when a job ends meanwhile: what the daemon is just giving us would be lost.
            let answer = tokio::select! {
                answer = self.context.daemon.lease(&request) => answer,
                () = stopping.asked() => return Ended::Stopped,
            };
            match answer {
                Ok(given) => {
                    if pause != PAUSES.0 {
                        tracing::info!("the daemon answers again");
                    }
                    pause = PAUSES.0;
                    if let Some(assignment) = given {
                        slots.begin(assignment);
                    }
                }
                Err(trouble) => {
                    if pause == PAUSES.0 {
                        tracing::warn!("the daemon gives no work: {trouble}; it is asked again");
                    }
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = stopping.asked() => return Ended::Stopped,
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// One job: that which was begun before a restart, or a new one.
    async fn once(&mut self, slots: &mut Slots, wait: u32, stopping: &Stopping) -> Ended {
        let mut pause = PAUSES.0;
        while slots.len() == 0 {
            let request = self.request(slots, wait.min(WAIT)).await;
            if request.programs.is_empty() && !request.hook {
                return Ended::Misconfigured;
            }
            let answer = tokio::select! {
                answer = self.context.daemon.lease(&request) => answer,
                () = stopping.asked() => return Ended::Stopped,
            };
            match answer {
                Ok(Some(assignment)) => slots.begin(assignment),
                Ok(None) => return Ended::Nothing,
                // Somebody who starts one for one job looks at what becomes of it, and changes that.
                Err(Trouble::Denied(why)) => {
                    tracing::error!("{why}");
                    return Ended::Misconfigured;
                }
                Err(trouble) => {
                    tracing::warn!("the daemon gives no work: {trouble}; it is asked again");
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = stopping.asked() => return Ended::Stopped,
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
        let mut ended = Ended::Done;
        while slots.len() > 0 {
            let outcome = tokio::select! {
                outcome = slots.ended() => outcome,
                () = stopping.asked() => return Ended::Failed,
            };
            if outcome != Some(Outcome::Over(Ending::Completed)) {
                ended = Ended::Failed;
            }
        }
        ended
    }

    /// Stops, as it was asked to.
    async fn stop(&mut self, mut slots: Slots, on_stop: OnStop, stopping: &Stopping) {
        if on_stop == OnStop::Leave || slots.len() == 0 {
            if slots.len() > 0 {
                tracing::info!(
                    jobs = slots.len(),
                    "what runs goes on; the next worker of this directory takes it over"
                );
            }
            return slots.leave().await;
        }
        if on_stop == OnStop::Finish {
            tracing::info!(jobs = slots.len(), "it is waited for what runs");
            tokio::select! {
                () = slots.all_ended() => return,
                () = stopping.reached(Stop::GiveUp) => {}
            }
        }
        tracing::info!(jobs = slots.len(), "what runs is ended");
        self.end.send_replace(true);
        let limit = self.context.grace + LAST_WORDS;
        if tokio::time::timeout(limit, slots.all_ended()).await.is_err() {
            tracing::warn!("some jobs' ends could not be reported: their leases run out");
        }
    }

    async fn request(&mut self, slots: &Slots, wait_seconds: u32) -> LeaseRequest {
        let programs = Arc::clone(&self.context.programs);
        let ready = tokio::task::spawn_blocking(move || programs.ready()).await.unwrap_or_default();
        let Ready { programs, hook, faults } = ready;
        if faults != self.faults {
            for fault in faults.iter().filter(|fault| !self.faults.contains(fault)) {
                tracing::error!("{fault}: not run until that is mended");
            }
            self.faults = faults;
        }
        LeaseRequest {
            worker: self.name.clone(),
            instance: self.place.instance().to_owned(),
            host: self.host.clone(),
            programs,
            hook,
            held: slots.held(),
            boot: self.boot.clone(),
            sent: u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX),
            wait_seconds: if self.faults.is_empty() { wait_seconds } else { wait_seconds.min(WAIT_FAULTY) },
        }
    }
}
