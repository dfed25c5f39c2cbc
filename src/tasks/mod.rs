//! The driver of what runs for as long as the daemon. A task that fails or panics starts again after a growing pause,
//! shows on the board as `task:<name>` meanwhile, and stops in its turn.
//!
//! Tasks stop one after the other in the order in which they were spawned, and each waits for the one before it. So
//! they are spawned in the order in which data passes them: the source first, then the writer, then the followers,
//! and each drains what the one before left behind.

/// Users, sessions, tokens: what is left to be done.
pub mod accounts;
/// Backups.
pub mod backups;
/// The feed: source and pipeline.
pub mod feed;
/// What time does to jobs.
pub mod jobs;
/// The mirror.
pub mod mirror;
/// The event bus, inwards.
pub mod subscriptions;
/// The scheduler.
pub mod scheduler;
/// The live tail.
pub mod tail;
/// The figures of the Trade path page.
pub mod trade_path;
/// Sizes, free space, open intents.
pub mod upkeep;
/// Webhooks.
pub mod webhooks;

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::observe::status::{Reporter, StatusBoard};
use crate::observe::{in_full, panics};
use crate::stop::{self, Stop, Stopper, Stopping};

/// What a task is given each time it starts.
#[derive(Clone, Debug)]
pub struct Context {
    /// When to stop.
    pub stopping: Stopping,
    /// Its own line on the board. Driver and task both write it; a task reports what it knows better than "running".
    pub reporter: Reporter,
}

/// How long to pause before a failed task starts again.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first pause; every further one is twice as long.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
    /// How long a task must have run for the pauses to begin anew, and to count as working after a failure.
    pub settled: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), most: Duration::from_secs(30), settled: Duration::from_secs(10) }
    }
}

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    board: StatusBoard,
    backoff: Backoff,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    name: String,
    stopper: Stopper,
    driver: JoinHandle<()>,
}

/// How the drain ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Tasks that had not ended when time was up or the drain was given up. Async ones are cut off; threads are left.
    pub late: Vec<String>,
}

type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

impl Tasks {
    /// No tasks yet.
    pub fn new(board: StatusBoard) -> Self {
        Self { board, backoff: Backoff::default(), running: Vec::new() }
    }

    /// Other pauses than the usual ones.
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Starts an async task. `start` makes its future, again after every failure. A future that returns `Ok` is done:
    /// the task shows as off and is not started again. Must be called in a runtime.
    pub fn spawn<F, W>(&mut self, name: &str, mut start: F)
    where
        F: FnMut(Context) -> W + Send + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.drive(name, move |context| -> Work { Box::pin(start(context)) });
    }

    /// Starts a task on a thread of its own, for work that blocks. As [`Tasks::spawn`] otherwise; it must look at
    /// `context.stopping` by itself, because a thread cannot be cut off.
    pub fn spawn_thread<F>(&mut self, name: &str, work: F)
    where
        F: FnMut(Context) -> anyhow::Result<()> + Send + 'static,
    {
        let thread_name = name.to_owned();
        // The closure travels to the thread and back with the result, so what it owns (a receiver, say) outlives a panic.
        let mut home = Some(work);
        let (give_back, mut take_back) = tokio::sync::mpsc::unbounded_channel();
        self.drive(name, move |context| -> Work {
            let Some(mut work) = home.take().or_else(|| take_back.try_recv().ok()) else {
                return Box::pin(async { Err(anyhow::anyhow!("its thread is still running")) });
            };
            let (done, result) = oneshot::channel();
            let give_back = give_back.clone();
            let thread = std::thread::Builder::new().name(thread_name.chars().take(15).collect()).spawn(move || {
                let result = panics::caught_here(|| work(context));
                // Before the result, so that it is home when the driver starts it again. Nobody listens after a drain.
                let _ = give_back.send(work);
                let _ = done.send(result);
            });
            Box::pin(async move {
                thread.map_err(|error| anyhow::anyhow!("cannot start its thread: {error}"))?;
                match result.await {
                    Ok(Ok(result)) => result,
                    Ok(Err(panic)) => Err(anyhow::anyhow!("panicked: {panic}")),
                    Err(_) => Err(anyhow::anyhow!("its thread is gone")),
                }
            })
        });
    }

    /// Names of the tasks in the order in which they will stop.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(|task| task.name.as_str())
    }

    /// Stops all tasks, one after the other in the order of spawning, within `limit` altogether and only until
    /// `give_up` is asked to give up. The last thing that the daemon's own future does.
    pub async fn drain(self, limit: Duration, give_up: &Stopping) -> Drained {
        let deadline = Instant::now() + limit;
        let mut drained = Drained::default();
        for mut task in self.running {
            task.stopper.ask(Stop::Drain);
            let ended = tokio::select! {
                ended = timeout_at(deadline, &mut task.driver) => ended.is_ok(),
                () = give_up.reached(Stop::GiveUp) => false,
            };
            if !ended {
                task.stopper.ask(Stop::GiveUp);
                task.driver.abort();
                // What it holds (the open file, above all) should be dropped before the daemon's own share of it is.
                let _ = tokio::time::timeout(Duration::from_millis(250), task.driver).await;
                drained.late.push(task.name);
            }
        }
        if !drained.late.is_empty() {
            tracing::warn!(late = drained.late.join(","), "some tasks did not stop in time and were cut off");
        }
        drained
    }

    fn drive(&mut self, name: &str, start: impl FnMut(Context) -> Work + Send + 'static) {
        let (stopper, stopping) = stop::signal();
        let reporter = self.board.reporter(&format!("task:{name}"));
        let driver = tokio::spawn(drive(Context { stopping, reporter }, self.backoff, start));
        self.running.push(Running { name: name.to_owned(), stopper, driver });
    }
}

async fn drive(context: Context, backoff: Backoff, mut start: impl FnMut(Context) -> Work + Send) {
    let Context { stopping, reporter } = &context;
    reporter.ok("running");
    let mut pause = backoff.first;
    loop {
        // The call itself is inside what is caught: a panic while starting is a failure like any other.
        let run = panics::caught(async { start(context.clone()).await });
        let mut run = std::pin::pin!(run);
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = sleep(backoff.settled) => {
                pause = backoff.first;
                // Not over what the task said itself: only the driver's own report of a failure ends here.
                reporter.recovered("running");
                run.await
            }
        };
        let why = match ended {
            Ok(Ok(())) => return reporter.off(if stopping.is_asked() { "stopped" } else { "finished" }),
            Ok(Err(error)) => in_full(&error),
            Err(panic) => format!("panicked: {panic}"),
        };
        if stopping.is_asked() {
            return reporter.failed(format!("failed while stopping: {why}"), "see the log");
        }
        reporter.failed(why, "it starts again by itself; when it keeps failing, see journalctl -u quantum-clm");
        tokio::select! {
            () = sleep(pause) => {}
            () = stopping.asked() => return,
        }
        pause = (pause * 2).min(backoff.most);
        reporter.restarted();
    }
}

#[cfg(test)]
mod tests;
