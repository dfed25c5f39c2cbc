//! A job's log on its way to the daemon, as it grows.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::daemon::{Daemon, Trouble};
use crate::domain::job::JobId;
use crate::joblog::LogReader;

/// Bytes that go at a time.
const PIECE: usize = 256 << 10;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How often in a row the daemon may refuse a piece before a job's end does not wait for it: a full disk there must not
/// keep a job from ending.
const TRIES: u32 = 5;

/// Ships the log of one lease. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Shipper {
    flushes: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

struct Shipping {
    daemon: Daemon,
    job: JobId,
    epoch: u64,
    directory: PathBuf,
    /// How far the daemon has it; unknown at first.
    next: Option<u64>,
}

impl Shipper {
    pub(super) fn start(daemon: Daemon, job: JobId, epoch: u64, directory: PathBuf) -> Self {
        let (flushes, asked) = mpsc::channel(1);
        let shipping = Shipping { daemon, job, epoch, directory, next: None };
        Self { flushes, task: tokio::spawn(shipping.run(asked)) }
    }

    /// Waits until everything that was written by now is with the daemon, or the daemon keeps refusing it.
    pub(super) async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.flushes.send(done).await.is_ok() {
            // It ended by itself: the job is not ours any more.
            let _ = waiting.await;
        }
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shipping {
    async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut flush = None;
        let mut failures = 0;
        loop {
            let moved = self.step().await;
            match moved {
                Ok(true) => failures = 0,
                // At its end.
                Ok(false) => drop(flush.take()),
                Err(Trouble::Stale(_)) => return,
                Err(ref trouble) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(job = %self.job, "the log cannot be sent: {trouble}; it is tried again");
                    }
                    // A daemon that is away keeps the report waiting as well.
                    if failures >= TRIES && !matches!(trouble, Trouble::Down(_)) {
                        drop(flush.take());
                    }
                }
            }
            if matches!(moved, Ok(true)) {
                continue;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                done = asked.recv(), if flush.is_none() => match done {
                    Some(done) => { flush = Some(done); failures = 0; }
                    None => return,
                },
            }
        }
    }

    /// Sends a piece; whether there was one.
    async fn step(&mut self) -> Result<bool, Trouble> {
        let next = match self.next {
            Some(next) => next,
            // An empty piece says where to go on: a worker that was started anew does not know.
            None => self.daemon.log(self.job, self.epoch, 0, Vec::new()).await?,
        };
        self.next = Some(next);
        let reader = LogReader::open(&self.directory);
        let read = tokio::task::spawn_blocking(move || reader.read(next, PIECE)).await;
        let lines = match read {
            Ok(Ok(lines)) => lines,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            // Our own disk does not give it: nothing is there to be sent.
            Ok(Err(error)) => {
                tracing::warn!(job = %self.job, "the log cannot be read: {error}");
                return Ok(false);
            }
            Err(_) => return Ok(false),
        };
        if lines.bytes.is_empty() {
            return Ok(false);
        }
        let sent = self.daemon.log(self.job, self.epoch, lines.first, lines.bytes).await;
        if sent.is_err() {
            // It may have taken a part.
            self.next = None;
        }
        self.next = Some(sent?);
        Ok(true)
    }
}
