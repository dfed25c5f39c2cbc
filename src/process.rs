//! Child processes that never outlive their use: each in a process group of its own, with a clean environment, its
//! complaints drained all the time, and ended for certain. Blocking: for threads, not for async tasks.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};

/// How much of what a child complains about is kept: the end of it.
const STDERR_TAIL_BYTES: usize = 8 * 1024;

/// How long to look for the group's end after SIGKILL. Only a process in uninterruptible sleep takes longer.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// How long a killed process may live on in a child that it was just starting.
const HEIR_WITHIN: Duration = Duration::from_secs(2);

/// Tries something again for a moment while it `is_taken`. Blocking.
///
/// A process that is killed while it starts a child leaves everything to that child, listening sockets and file locks
/// as well, until the child has become another program: some microseconds, on a busy machine some milliseconds. Whoever
/// starts in its place must not take that for another daemon.
pub fn unless_inherited<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_taken: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = Instant::now() + HEIR_WITHIN;
    loop {
        match attempt() {
            Err(error) if is_taken(&error) && Instant::now() < until => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

/// Asks a blocking thread to stop, and wakes it from [`StopFlag::wait_readable`] at once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StopFlag(Arc<StopInner>);

#[derive(Debug)]
struct StopInner {
    set: AtomicBool,
    reader: PipeReader,
    writer: PipeWriter,
}

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self(Arc::new(StopInner { set: AtomicBool::new(false), reader, writer })))
    }

    /// Sets it, for good.
    pub fn set(&self) {
        if !self.0.set.swap(true, Ordering::SeqCst) {
            // The byte is never read, so the pipe stays readable for every poll to come; it cannot be full.
            let _ = (&self.0.writer).write_all(&[1]);
        }
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// Sleeps, at most until the flag is set; whether it is.
    pub fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_set() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || poll_until(&mut [PollFd::new(&self.0.reader, PollFlags::IN)], left).is_err() {
                break;
            }
        }
        self.is_set()
    }

    /// Waits until `fd` can be read (or is at its end), the flag is set, or `time` is over; whether `fd` can be read.
    pub fn wait_readable(&self, fd: BorrowedFd<'_>, time: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN), PollFd::new(&self.0.reader, PollFlags::IN)];
        poll_until(&mut fds, time)?;
        Ok(!fds[0].revents().is_empty())
    }
}

fn poll_until(fds: &mut [PollFd<'_>], time: Duration) -> io::Result<()> {
    let timeout = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A running child, leader of its own process group. Dropping it kills the group and reaps the child.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    group: Option<Pid>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    drain: Option<thread::JoinHandle<()>>,
}

/// How a child ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether every process of its group is gone; one in uninterruptible sleep may not be.
    pub group_gone: bool,
    /// The end of what it wrote to standard error.
    pub stderr: String,
}

impl ChildProcess {
    /// Starts `command` with standard output in a pipe, nothing on standard input, and of the environment only `PATH`,
    /// a UTF-8 locale, and what `environment` adds.
    pub fn spawn(mut command: Command, environment: &[(&str, OsString)]) -> io::Result<Self> {
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin".into());
        command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let pipe = child.stderr.take();
        // Owned from here on, so that a failure below kills the child.
        let mut process = Self { child, group, stderr: Arc::clone(&stderr), drain: None };
        if let Some(pipe) = pipe {
            process.drain =
                Some(thread::Builder::new().name("child-stderr".into()).spawn(move || drain(pipe, &stderr))?);
        }
        Ok(process)
    }

    /// The process id, which is also the group's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The reading end of its standard output, once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The end of what it wrote to standard error so far.
    pub fn stderr_tail(&self) -> String {
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = tail.as_slices();
        String::from_utf8_lossy(&[first, second].concat()).trim().to_owned()
    }

    /// Whether it ended. It stays unreaped, so that its group's number cannot be given to somebody else before
    /// [`ChildProcess::terminate`] has signalled it.
    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group.is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Ends the whole group: SIGTERM, and after `grace` SIGKILL. Reaps the child and looks that nobody is left.
    pub fn terminate(mut self, grace: Duration) -> io::Result<Ending> {
        self.end(grace)
    }

    /// Ends what is left of a child that closed its output.
    pub fn end_now(&mut self) -> io::Result<Ending> {
        // One that closes its output is about to exit: its own exit status says more than our signal.
        self.wait_end(Duration::from_millis(100));
        self.end(Duration::ZERO)
    }

    /// Waits at most `patience` for the child to end by itself, then ends what is left of the group.
    pub fn finish(mut self, patience: Duration) -> io::Result<Ending> {
        self.wait_end(patience);
        self.end(Duration::ZERO)
    }

    /// The exit is noticed by polling: waiting with a time limit needs a signal handler or a pidfd, and this is over
    /// within a millisecond as a rule.
    fn wait_end(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(200);
        while !self.has_ended() && Instant::now() < until {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn end(&mut self, grace: Duration) -> io::Result<Ending> {
        if let Some(group) = self.group {
            if !grace.is_zero() && !self.has_ended() {
                let _ = kill_process_group(group, Signal::TERM);
                self.wait_end(grace);
            }
            // Also where the leader has gone: others of its group may live.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = self.child.wait()?;
        let group_gone = self.group.take().is_none_or(gone);
        if let Some(drain) = self.drain.take()
            && group_gone
        {
            let _ = drain.join();
        }
        Ok(Ending { status, group_gone, stderr: self.stderr_tail() })
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.group.is_some() {
            let _ = self.end(Duration::ZERO);
        }
    }
}

fn gone(group: Pid) -> bool {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        if test_kill_process_group(group) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn drain(mut pipe: impl Read + AsFd, tail: &Mutex<VecDeque<u8>>) {
    let mut chunk = [0; 4096];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend(&chunk[..count]);
                let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES);
                tail.drain(..excess);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// An exit status in words: `exit code 1`, `killed by signal 9`.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ChildProcess {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        ChildProcess::spawn(command, &[("EXTRA", "added".into())]).unwrap()
    }

    fn output(process: &mut ChildProcess) -> String {
        let mut text = String::new();
        process.take_stdout().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_environment_is_clean() {
        let mut process = shell("env | cut -d= -f1 | sort | tr '\\n' ' '");
        assert_eq!(output(&mut process).replace("PWD ", "").replace("_ ", ""), "EXTRA LC_ALL PATH ");
    }

    #[test]
    fn an_exit_is_described_and_the_complaint_kept() {
        let mut process = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 3");
        assert_eq!(output(&mut process), "");
        let ending = process.finish(Duration::from_secs(10)).unwrap();
        assert_eq!(describe(ending.status), "exit code 3");
        assert!(
            ending.stderr.len() <= STDERR_TAIL_BYTES && ending.stderr.ends_with("x\nthe end")
                || ending.stderr.ends_with("xthe end")
        );
    }

    #[test]
    fn who_ignores_sigterm_is_killed_with_all_of_its_group() {
        let mut process = shell("trap '' TERM; sleep 1000 & echo started; while :; do sleep 1000; done");
        let mut stdout = process.take_stdout().unwrap();
        stdout.read_exact(&mut [0; 8]).unwrap();
        let ending = process.terminate(Duration::from_millis(50)).unwrap();
        assert_eq!(describe(ending.status), "killed by signal 9");
        assert!(ending.group_gone);
    }

    #[test]
    fn the_rest_of_the_group_goes_with_a_leader_that_left() {
        let mut process = shell("sleep 1000 & echo started");
        process.take_stdout().unwrap().read_exact(&mut [0; 8]).unwrap();
        let ending = process.finish(Duration::from_secs(10)).unwrap();
        assert!(ending.status.success() && ending.group_gone);
    }

    #[test]
    fn the_flag_ends_a_wait() {
        let stop = StopFlag::new().unwrap();
        let other = stop.clone();
        let thread = thread::spawn(move || other.sleep(Duration::from_secs(600)));
        stop.set();
        assert!(thread.join().unwrap());
    }

    #[test]
    fn what_is_taken_is_tried_again_for_a_moment_and_any_other_error_is_not() {
        let mut tries = 0;
        let mut attempt = |errors: &[&'static str]| {
            tries = 0;
            let result = unless_inherited(
                || {
                    tries += 1;
                    errors.get(tries - 1).map_or(Ok(tries), |error| Err(*error))
                },
                |error| *error == "taken",
            );
            (result, tries)
        };
        assert_eq!(attempt(&[]), (Ok(1), 1));
        assert_eq!(attempt(&["taken", "taken"]), (Ok(3), 3));
        assert_eq!(attempt(&["taken", "no right"]), (Err("no right"), 2));
        assert_eq!(attempt(&["taken"; 10_000]).0, Err("taken"));
    }
}
