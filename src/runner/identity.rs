//! Who a process is, so that no other is taken for it: a number alone is given again.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::proc::Process;

/// A process of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: i32,
    /// When it began, in the kernel's ticks since the boot: field 22 of `/proc/PID/stat`.
    pub(super) start: u64,
}

/// `running.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) boot: String,
    pub(super) supervisor: Identity,
    /// The program, which leads a session of its own.
    pub(super) program: Option<Identity>,
}

impl Identity {
    /// Of this process.
    pub(super) fn own() -> io::Result<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Of the process that has this number now.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let process = Process::read(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, start: process.start })
    }
}

/// The boot of the machine: another one after each start.
pub fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The time since the boot, that which the machine slept through included: a worker and its supervisors see the same.
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The same in milliseconds, as orders have it.
pub(super) fn millis_since_boot() -> u64 {
    millis(since_boot())
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_was_some_time_ago() {
        let before = since_boot();
        assert!(before > Duration::ZERO && since_boot() >= before);
    }
}
