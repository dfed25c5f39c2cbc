//! What the program writes, taken from it at all times: a full pipe would stop it.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::fcntl_setpipe_size;

use crate::joblog::{LogWriter, Stream};

/// Larger pipes let the program write on while we write to the disk.
const PIPE_BYTES: usize = 1 << 20;

/// A log that two threads write to.
#[derive(Clone, Debug)]
pub(super) struct SharedLog(Arc<Mutex<LogWriter>>);

impl SharedLog {
    pub(super) fn new(log: LogWriter) -> Self {
        Self(Arc::new(Mutex::new(log)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LogWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, text: &str) {
        self.lock().note(Utc::now().into(), text);
    }
}

/// The thread that reads both pipes to their ends.
#[derive(Debug)]
pub(super) struct Drain(JoinHandle<()>);

impl Drain {
    pub(super) fn start(out: ChildStdout, err: ChildStderr, log: SharedLog) -> io::Result<Self> {
        // Where that is not allowed, they stay as they are.
        let _ = fcntl_setpipe_size(&out, PIPE_BYTES);
        let _ = fcntl_setpipe_size(&err, PIPE_BYTES);
        Ok(Self(thread::Builder::new().name("output".to_owned()).spawn(move || drain(out, err, &log))?))
    }

    /// Waits for the end of both, which comes at once when all who could write are gone; whether it came. Somebody else may have
    /// been handed a pipe.
    pub(super) fn finish(self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.0.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.0.join().is_ok()
    }
}

fn drain(out: ChildStdout, err: ChildStderr, log: &SharedLog) {
    let (mut out, mut err) = (Some(out), Some(err));
    let mut chunk = vec![0; 256 << 10];
    while out.is_some() || err.is_some() {
        let (out_ready, err_ready) = wait(out.as_ref(), err.as_ref());
        if out_ready {
            take(&mut out, Stream::Out, &mut chunk, log);
        }
        if err_ready {
            take(&mut err, Stream::Err, &mut chunk, log);
        }
        log.lock().show_unfinished(Utc::now().into());
    }
    log.lock().finish(Utc::now().into());
}

/// Which of the two can be read, or is at its end; neither after a second.
fn wait(out: Option<&ChildStdout>, err: Option<&ChildStderr>) -> (bool, bool) {
    let (out, err) = (out.map(AsFd::as_fd), err.map(AsFd::as_fd));
    let mut fds: Vec<_> =
        [out, err].into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    if poll(&mut fds, Some(&second)).is_err() {
        return (false, false);
    }
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    (out.is_some() && ready.next().unwrap_or(false), err.is_some() && ready.next().unwrap_or(false))
}

/// Reads once; at its end, the pipe is closed.
fn take(pipe: &mut Option<impl Read>, stream: Stream, chunk: &mut [u8], log: &SharedLog) {
    let Some(reader) = pipe else { return };
    match reader.read(chunk) {
        Ok(0) => *pipe = None,
        Ok(count) => log.lock().append(Utc::now().into(), stream, &chunk[..count]),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => {
            log.note(&format!("cannot read what the program writes: {error}"));
            *pipe = None;
        }
    }
}
