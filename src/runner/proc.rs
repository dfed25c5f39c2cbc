//! Processes, as `/proc` tells of them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    state: u8,
    /// Threads.
    pub(super) tasks: u32,
    /// Bytes in memory, those that it shares with others included.
    pub(super) memory: u64,
    /// When it began, in ticks since the boot.
    pub(super) start: u64,
    /// Ticks of processor time, of it and of its children that it has waited for.
    pub(super) ticks: u64,
    /// The latter of both.
    pub(super) ticks_of_children: u64,
}

/// Every process that there is.
pub(super) fn all() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        found.extend(Process::read(pid)?);
    }
    Ok(found)
}

/// Threads of this user.
pub(super) fn tasks_of_user(uid: u32) -> io::Result<u64> {
    let is_ours = |process: &Process| fs::metadata(format!("/proc/{}", process.pid)).is_ok_and(|m| m.uid() == uid);
    Ok(all()?.iter().filter(|process| is_ours(process)).map(|process| u64::from(process.tasks)).sum())
}

/// Those of `all` that `root` has started, and they, and so on.
pub(super) fn descendants(all: &[Process], root: i32) -> Vec<Process> {
    let mut by_parent: Vec<&Process> = all.iter().collect();
    by_parent.sort_unstable_by_key(|process| process.parent);
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let first = by_parent.partition_point(|process| process.parent < parent);
        for child in by_parent[first..].iter().take_while(|process| process.parent == parent) {
            found.push(**child);
            parents.push(child.pid);
        }
        // Nobody is above itself, but the picture was not taken in one moment.
        if found.len() > all.len() {
            break;
        }
    }
    found
}

impl Process {
    /// The process that has this number now, if there is one.
    pub(super) fn read(pid: i32) -> io::Result<Option<Self>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // It ended between opening and reading.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
            // With `hidepid` others' processes are nobody's business.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `17 (a name) S 1 17 17 …`; the name may hold anything, brackets included.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let pid = text.split_once(' ')?.0.parse().ok()?;
        // Field 3 is the first behind the name.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        let ticks_of_children = number(16)? + number(17)?;
        Some(Self {
            pid,
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            state: *field(3)?.as_bytes().first()?,
            tasks: field(20)?.parse().ok()?,
            memory: number(24)? * rustix::param::page_size() as u64,
            start: number(22)?,
            ticks: number(14)? + number(15)? + ticks_of_children,
            ticks_of_children,
        })
    }

    /// Whether it can still do something. One whose first thread has ended and another has not looks like a zombie.
    pub(super) fn lives(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x') || self.tasks > 1
    }

    /// Whether it was stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// Its own memory, of what it shares with others its part; none where that is not told.
    pub(super) fn proportional_memory(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1_024)
    }

    /// Whether its environment has this `NAME=value`. What may not be read is somebody else's.
    pub(super) fn has(&self, variable: &str) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
    }

    /// Its name, for people.
    pub(super) fn name(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid)).map_or_else(|_| "?".to_owned(), |n| n.trim().to_owned())
    }

    /// Sends it a signal, and nobody who has its number since.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The handle is of who has the number now, for good; that it is the one that was looked at is said by its start.
        if Self::read(self.pid).is_ok_and(|now| now.is_some_and(|now| now.start == self.start)) {
            let _ = pidfd_send_signal(handle, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat() {
        let text =
            b"17 (a) b (c) S 4 17 16 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 3 0 777 5000 9 18446744073709551615 1";
        let process = Process::parse(text).unwrap();
        assert_eq!((process.pid, process.parent, process.session, process.start), (17, 4, 16, 777));
        assert_eq!((process.tasks, process.ticks, process.ticks_of_children), (3, 100, 70));
        assert_eq!(process.memory, 9 * rustix::param::page_size() as u64);
        assert!(process.lives() && !process.is_stopped());
        assert_eq!(Process::parse(b"17 (a) S 1"), None);
        assert_eq!(Process::parse(b""), None);
    }

    #[test]
    fn this_process_is_among_them_below_its_parent() {
        let own = std::process::id() as i32;
        let all = all().unwrap();
        let process = all.iter().find(|process| process.pid == own).unwrap();
        assert!(process.tasks >= 1 && process.memory > 0);
        assert!(descendants(&all, process.parent).contains(process));
        assert!(!descendants(&all, own).contains(process));
    }
}
