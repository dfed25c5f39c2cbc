//! Journals as systemd-journal-remote writes them, from export text with the fields that journald gives a service's line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::lines::Writer;
use crate::{Bench, Result};

const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// 300 lines a second.
pub(crate) const STEP: u64 = 3_333;

/// A journal that grows.
pub(crate) struct Live {
    pub(crate) directory: PathBuf,
    remote: Child,
    writer: Writer,
    number: u64,
}

/// Microseconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

/// A directory with a journal of `count` entries; one that was made earlier today is used again.
pub(crate) fn with_entries(bench: &Bench, count: u64) -> Result<PathBuf> {
    let fresh = now() - 86_400_000_000;
    let directory = bench.directory.join(format!("journal-{count}"));
    let done = directory.join("done");
    let mark = format!("{} {:?}", bench.lines.origin(), bench.lines.units());
    let made = std::fs::metadata(&done).and_then(|done| done.modified()).ok();
    let is_fresh = made.is_some_and(|at| at > UNIX_EPOCH + std::time::Duration::from_micros(fresh));
    if is_fresh && std::fs::read_to_string(&done).is_ok_and(|text| text == mark) {
        return Ok(directory);
    }
    let _ = std::fs::remove_dir_all(&directory);
    let mut live = Live::new(directory.clone())?;
    let start = now() - count * STEP;
    let mut text = Vec::new();
    for number in 0..count {
        live.entry(bench, start + number * STEP, None, &mut text);
        if text.len() > 1 << 20 {
            live.write(&text)?;
            text.clear();
        }
    }
    live.write(&text)?;
    live.finish()?;
    std::fs::write(done, mark)?;
    Ok(directory)
}

impl Live {
    pub(crate) fn new(directory: PathBuf) -> Result<Self> {
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory)?;
        let mut command = Command::new(REMOTE);
        command.arg("-o").arg(directory.join("system.journal")).arg("-").stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let remote = command.spawn().map_err(|error| format!("{REMOTE}, of systemd-journal-remote: {error}"))?;
        Ok(Self { directory, remote, writer: Writer::default(), number: 0 })
    }

    /// Appends the next line, or `message`, as written now.
    pub(crate) fn append(&mut self, bench: &Bench, message: Option<&str>) -> Result<()> {
        let mut text = Vec::new();
        self.entry(bench, now(), message, &mut text);
        self.write(&text)
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        drop(self.remote.stdin.take());
        self.remote.wait()?;
        Ok(())
    }

    pub(crate) fn write(&mut self, text: &[u8]) -> Result<()> {
        let stdin = self.remote.stdin.as_mut().ok_or("the journal is finished")?;
        stdin.write_all(text)?;
        Ok(stdin.flush()?)
    }

    pub(crate) fn entry(&mut self, bench: &Bench, ts: u64, message: Option<&str>, text: &mut Vec<u8>) {
        let unit = bench.lines.write(self.number, ts, &mut self.writer);
        let message = message.unwrap_or(&self.writer.text);
        let name = unit.trim_end_matches(".service");
        let pid = 1000 + name.len();
        // Writing to a vector does not fail.
        let _ = write!(
            text,
            "__REALTIME_TIMESTAMP={ts}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={:032x}\n_TRANSPORT=stdout\n\
             _STREAM_ID={:032x}\nPRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER={name}\n_PID={pid}\n_UID=990\n_GID=990\n\
             _COMM=python3\n_EXE=/usr/bin/python3.11\n_CMDLINE=/usr/bin/python3 -u /opt/quantum/{name}/main.py\n\
             _CAP_EFFECTIVE=0\n_SELINUX_CONTEXT=unconfined\n_SYSTEMD_CGROUP=/system.slice/{unit}\n_SYSTEMD_UNIT={unit}\n\
             _SYSTEMD_SLICE=system.slice\n_SYSTEMD_INVOCATION_ID={:032x}\n_MACHINE_ID={:032x}\n\
             _HOSTNAME=quantumtrader-prod-1\nMESSAGE={message}\n\n",
            10_000_000 + self.number * STEP,
            0xb007_u32,
            pid + 1,
            pid + 2,
            0xfeed_u32,
        );
        self.number += 1;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.remote.stdin.take());
        let _ = self.remote.wait();
    }
}

/// Bytes of all files in it.
pub(crate) fn size(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(directory)? {
        size += entry?.metadata()?.len();
    }
    Ok(size)
}
