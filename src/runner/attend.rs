//! The supervisor, while the program runs: waiting for its end, looking whether it has to be ended, and ending it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, wait};

use super::drain::{Drain, SharedLog};
use super::end::{self, Quarry};
use super::identity::millis_since_boot;
use super::limits::Watch;
use super::orders::{Orders, Stop};
use super::proc::Process;
use super::record::{How, Status};
use super::supervisor::Supervisor;
use super::{durable, name};

/// How often it is looked at least whether the program may still go on, however long looking at its memory takes.
const ORDERS_EVERY: Duration = Duration::from_secs(1);

/// How often usage is written.
const USAGE_EVERY: Duration = Duration::from_secs(2);

/// How often it is looked whether a program that was asked to end has done so.
const ENDING: Duration = Duration::from_millis(20);

/// After how long of killing it is said who does not end.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// A program that runs, or ran.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) pid: Pid,
    /// Can be read when it has ended.
    pub(super) handle: OwnedFd,
    pub(super) reaper: Reaper,
    pub(super) log: SharedLog,
    pub(super) drain: Drain,
    pub(super) quarry: Quarry,
    pub(super) watch: Watch,
    pub(super) orders: Orders,
    /// How many the kernel had killed for the machine's memory when it began.
    pub(super) killed: u64,
}

/// Waits for every child there is, also those that became ours, and keeps the program's status.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    program: Option<Pid>,
    pub(super) status: Option<Status>,
}

impl Reaper {
    pub(super) fn of(program: Pid) -> Self {
        Self { program: Some(program), status: None }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Some(pid) == self.program {
                self.status =
                    status.exit_status().map(Status::Exit).or_else(|| status.terminating_signal().map(Status::Signal));
            }
        }
    }
}

impl Program {
    /// Stays until nobody is left. Why it was ended, unless it ended by itself.
    pub(super) fn attend(&mut self, supervisor: &Supervisor) -> io::Result<Option<How>> {
        let mut told = Instant::now();
        let mut next = Instant::now();
        let stop = loop {
            self.reaper.reap();
            if self.reaper.status.is_some() {
                break None;
            }
            if let Some(stop) = self.orders.look(millis_since_boot()) {
                break Some(stop);
            }
            let now = Instant::now();
            if now < next {
                self.pause((next - now).min(ORDERS_EVERY));
                continue;
            }
            if let Some(stop) = self.look(supervisor)? {
                break Some(stop);
            }
            next = Instant::now() + self.watch.pause();
            if told.elapsed() >= USAGE_EVERY {
                told = Instant::now();
                let mut usage = self.watch.usage();
                usage.resources.output_bytes = self.log.lock().written().bytes;
                usage.write(&supervisor.directory);
            }
        };
        if let Some(stop) = &stop
            && !stop.grace.is_zero()
        {
            self.ask(stop, supervisor)?;
        }
        end_all(&self.quarry, &self.log, &mut self.reaper);
        Ok(stop.map(|stop| stop.how))
    }

    /// Whether it breaks a limit.
    fn look(&mut self, supervisor: &Supervisor) -> io::Result<Option<Stop>> {
        let grace = supervisor.begun.spec.limits.grace;
        let broken = self.watch.look(&self.quarry.tree()?, ticks_of_the_dead()?);
        Ok(broken.map(|how| {
            // Memory and processes are the machine's need: there is no time to be polite.
            let at_once = matches!(how, How::OutOfMemory { .. } | How::TooManyTasks { .. });
            Stop { grace: if at_once { Duration::ZERO } else { grace }, how }
        }))
    }

    /// Whether there is no time any more for it to end by itself.
    fn is_urgent(&mut self) -> bool {
        self.orders.look(millis_since_boot()).is_some_and(|stop| stop.grace.is_zero())
    }

    fn pause(&self, time: Duration) {
        let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&time));
    }

    /// Asks it to end, and waits until it has, until its time is over, or until there is no time any more.
    fn ask(&mut self, stop: &Stop, supervisor: &Supervisor) -> io::Result<()> {
        let why = why(&supervisor.directory).unwrap_or_else(|| stop.how.to_string());
        self.log.note(&format!("it is asked to end, and has {} s: {why}", stop.grace.as_secs()));
        // For programs that want to know more than a signal tells; on a full disk they do not.
        let message = supervisor.begun.spec.work.join("cancel.json");
        let _ = durable::replace(&message, &serde_json::json!({ "why": why }));
        // The program leads a session, and therefore a group, unless it has just been born.
        if kill_process_group(self.pid, Signal::TERM).is_err() && self.reaper.status.is_none() {
            let _ = kill_process(self.pid, Signal::TERM);
        }
        // One that was stopped has to be woken to hear it.
        let _ = kill_process_group(self.pid, Signal::CONT);
        let until = Instant::now() + stop.grace;
        while Instant::now() < until {
            self.reaper.reap();
            // Those who clean up behind a program that has ended have its time as well.
            if self.quarry.tree()?.is_empty() || self.is_urgent() {
                break;
            }
            std::thread::sleep(ENDING);
        }
        Ok(())
    }
}

/// Why the worker called it off.
fn why(directory: &Path) -> Option<String> {
    durable::read(&directory.join(name::WHY)).ok().flatten()
}

/// Ends everybody, for as long as that takes: as long as somebody may be alive there is nothing to be recorded.
pub(super) fn end_all(quarry: &Quarry, log: &SharedLog, reaper: &mut Reaper) {
    loop {
        match quarry.end(TOLD_EVERY, || reaper.reap()) {
            Ok(left) if left.is_empty() => return,
            Ok(left) => log.note(&format!("these were killed and do not end: {}", end::names(&left))),
            Err(error) => {
                log.note(&format!("cannot look who is left: {error}"));
                std::thread::sleep(ENDING);
            }
        }
    }
}

/// Ticks of processor time of those who were waited for.
pub(super) fn ticks_of_the_dead() -> io::Result<u64> {
    let own = Process::read(rustix::process::getpid().as_raw_nonzero().get())?;
    Ok(own.map_or(0, |own| own.ticks_of_children))
}
