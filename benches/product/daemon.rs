//! The real binary as a daemon, and what the kernel says about it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Bench, Result};

/// What a daemon is told.
pub(crate) struct Setup {
    binary: PathBuf,
    pub(crate) data_file: PathBuf,
    /// Holds the configuration, the socket and the log.
    run: tempfile::TempDir,
}

pub(crate) struct Daemon<'a> {
    setup: &'a Setup,
    child: Child,
    pub(crate) started: Instant,
}

impl Setup {
    /// A daemon on `journal`, with a new data file of that name; `redis` is the mirror's configuration.
    pub(crate) fn new(bench: &Bench, name: &str, journal: &Path, redis: &str) -> Result<Self> {
        Self::listening(bench, name, journal, redis, "")
    }

    /// The same, listening on this TCP address besides.
    pub(crate) fn listening(bench: &Bench, name: &str, journal: &Path, redis: &str, listen: &str) -> Result<Self> {
        let data_file = bench.directory.join(format!("{name}.redb"));
        let _ = std::fs::remove_file(&data_file);
        let run = tempfile::tempdir()?;
        let config = format!(
            "data_file = {data_file:?}\n[http]\nlisten = {listen:?}\nsocket = {:?}\n[journal]\nunits = {:?}\ndirectory = {:?}\n\
             start = \"head\"\n[redis]\n{redis}\n",
            run.path().join("s"),
            bench.lines.units(),
            journal,
        );
        std::fs::write(run.path().join("clm.toml"), config)?;
        Ok(Self { binary: bench.binary.clone(), data_file, run })
    }

    /// Where it answers.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run.path().join("s")
    }

    /// A command of the product that asks this daemon.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(args).arg("--config").arg(self.run.path().join("clm.toml")).stdin(Stdio::null());
        command
    }

    pub(crate) fn start(&self) -> Result<Daemon<'_>> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.run.path().join("log"))?;
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        let started = Instant::now();
        Ok(Daemon { setup: self, child: command.spawn()?, started })
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.run.path().join("log")).unwrap_or_default()
    }
}

impl Daemon<'_> {
    /// Waits until it answers; the seconds since its start.
    pub(crate) fn ready(&mut self) -> Result<f64> {
        loop {
            if self.get("/health").is_ok() {
                return Ok(self.started.elapsed().as_secs_f64());
            }
            if self.child.try_wait()?.is_some() || self.started.elapsed() > Duration::from_secs(600) {
                return Err(format!("the daemon does not start:\n{}", self.setup.log()).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until so many events were stored since its start; the seconds since then.
    pub(crate) fn stored(&mut self, events: u64) -> Result<f64> {
        self.ready()?;
        let mut progress = (Instant::now(), 0.0);
        loop {
            let stored = self.metric("quantum_clm_events_stored_total")?;
            let now = Instant::now();
            if stored >= events as f64 {
                return Ok((now - self.started).as_secs_f64());
            }
            if stored > progress.1 {
                progress = (now, stored);
            }
            if now - progress.0 > Duration::from_secs(60) {
                return Err(format!("stored {stored} of {events} and no more:\n{}", self.setup.log()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let text = self.get("/metrics")?;
        let values =
            text.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with(['{', ' ']));
        Ok(values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = UnixStream::connect(self.setup.socket())?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 ") {
            return Err("no answer".into());
        }
        Ok(answer)
    }

    /// A figure of /proc/PID/status in MiB: VmRSS, VmHWM.
    pub(crate) fn memory(&self, name: &str) -> Result<f64> {
        Ok(field(&format!("/proc/{}/status", self.child.id()), name)? / 1024.0)
    }

    /// Seconds of processor time so far, of all its children too, dead or alive.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let mut ticks = 0.0;
        for pid in self.family() {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default().split(' ');
            ticks += fields.skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>();
        }
        Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Bytes that it caused to be written to the disk so far.
    pub(crate) fn written(&self) -> Result<f64> {
        field(&format!("/proc/{}/io", self.child.id()), "write_bytes")
    }

    /// How often its threads went to sleep so far; those of its children too.
    pub(crate) fn sleeps(&self) -> f64 {
        let tasks = self.family().into_iter().filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).ok());
        let status = tasks.flatten().flatten().map(|task| task.path().join("status"));
        status.filter_map(|path| field(path.to_str()?, "voluntary_ctxt_switches").ok()).sum()
    }

    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.child.id()];
        family.extend(children(self.child.id()));
        family
    }

    /// Stops it as systemd does.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("the daemon stopped with {status}:\n{}", self.setup.log()).into());
        }
        Ok(())
    }
}

impl Drop for Daemon<'_> {
    /// SIGKILL, where it was not stopped; its children, too, which systemd's control group would see to.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let children = children(self.child.id());
            let _ = self.child.kill();
            let _ = self.child.wait();
            for pid in children.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split(' ').filter_map(|pid| pid.trim().parse().ok()).collect::<Vec<_>>()).collect()
}

fn field(path: &str, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()).ok_or(format!("{path} has no {name}"))?;
    Ok(number.parse()?)
}
