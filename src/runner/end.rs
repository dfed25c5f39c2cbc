//! Ending everything that belongs to a run, and looking that nobody is left.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::COOKIE;
use super::cgroup::Group;
use super::identity::Identity;
use super::proc::{self, Process};

/// How often those that are found are stopped before they are killed: somebody who forks as fast as it can is stopped in the
/// end, because fewer and fewer are left that do.
const ROUNDS: usize = 50;

/// By what the processes of a run are known. Each has a hole that the others close: a tree loses whoever outlives the
/// subreaper, the cookie whoever clears its environment, a session whoever leaves it.
#[derive(Clone, Debug)]
pub(super) struct Quarry {
    /// `QUANTUM_CLM_RUN=…`, in the environment of everybody who did not clear it.
    cookie: String,
    /// Nobody of the run is older, in ticks since the boot.
    since: u64,
    /// The living supervisor, from which everybody descends.
    pub(super) root: Option<i32>,
    /// The program, which leads a session.
    pub(super) program: Option<Identity>,
    /// The control group.
    pub(super) group: Option<Group>,
}

impl Quarry {
    pub(super) fn new(cookie: &str, since: u64) -> Self {
        Self { cookie: format!("{COOKIE}={cookie}"), since, root: None, program: None, group: None }
    }

    /// Who of it is alive, as far as the living supervisor tells: whoever descends from it, and that is everybody.
    pub(super) fn tree(&self) -> io::Result<Vec<Process>> {
        let Some(root) = self.root else { return Ok(Vec::new()) };
        let mut tree = proc::descendants(&proc::all()?, root);
        tree.retain(Process::lives);
        Ok(tree)
    }

    /// Who of it is alive, by all marks, besides this process. That reads the environment of everybody who is young enough.
    pub(super) fn living(&self) -> io::Result<Vec<Process>> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let all = proc::all()?;
        let tree = self.root.map(|root| proc::descendants(&all, root)).unwrap_or_default();
        let grouped = self.group.as_ref().map(Group::processes).unwrap_or_default();
        let is_ours = |process: &Process| {
            tree.contains(process)
                || grouped.contains(&process.pid)
                || (process.start >= self.since && (self.is_of_session(process, &all) || process.has(&self.cookie)))
        };
        Ok(all.iter().filter(|process| process.pid != own && process.lives() && is_ours(process)).copied().collect())
    }

    /// Somebody of it who is alive, as long as there is anybody. Looking at the tree is cheap, so the other marks are asked
    /// when nobody is left there.
    fn some(&self) -> io::Result<Vec<Process>> {
        let tree = self.tree()?;
        if tree.is_empty() { self.living() } else { Ok(tree) }
    }

    /// A session keeps its number for as long as somebody is in it; it is another one if its leader is.
    fn is_of_session(&self, process: &Process, all: &[Process]) -> bool {
        self.program.is_some_and(|program| {
            let leader = all.iter().find(|leader| leader.pid == program.pid);
            process.session == program.pid
                && process.start >= program.start
                && leader.is_none_or(|leader| leader.start == program.start)
        })
    }

    /// Kills everybody until nobody is left, which is looked at twice. `meanwhile` is called between: whoever is the
    /// parent has to wait for the dead. Returns those who are left after `patience`; only a process in uninterruptible
    /// sleep, or of another user, should be.
    pub(super) fn end(&self, patience: Duration, mut meanwhile: impl FnMut()) -> io::Result<Vec<Process>> {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(500);
        let mut is_quiet = false;
        loop {
            if let Some(group) = &self.group {
                group.kill();
            }
            meanwhile();
            let mut living = self.some()?;
            if living.is_empty() && self.group.as_ref().is_none_or(|group| !group.is_populated()) {
                if is_quiet {
                    return Ok(living);
                }
                is_quiet = true;
                continue;
            }
            is_quiet = false;
            if Instant::now() >= until {
                return Ok(living);
            }
            for _ in 0..ROUNDS {
                living.iter().for_each(|process| process.signal(Signal::STOP));
                living = self.some()?;
                if living.iter().all(Process::is_stopped) {
                    break;
                }
            }
            living.iter().for_each(|process| process.signal(Signal::KILL));
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}

/// Those who are left, for people.
pub(super) fn names(processes: &[Process]) -> String {
    let named: Vec<_> =
        processes.iter().take(5).map(|process| format!("{} ({})", process.pid, process.name())).collect();
    let more = processes.len().saturating_sub(named.len());
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}
