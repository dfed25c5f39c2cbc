//! The supervisor: the process between the worker and a program. This file begins a run and concludes it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::attend::{Program, Reaper, end_all};
use super::cgroup::Group;
use super::drain::{Drain, SharedLog};
use super::end::Quarry;
use super::identity::{Identity, Who, boot, millis_since_boot};
use super::limits::Watch;
use super::order::Order;
use super::orders::Orders;
use super::record::{ExitRecord, How, Status};
use super::spec::Begun;
use super::{COOKIE, durable, errno, exec, name, running};
use crate::domain::job::Resources;
use crate::joblog::{LogLimits, LogWriter};

/// How long to wait for the end of the output once nobody of the run is left.
const OUTPUT_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How long writing the exit record is tried when the lease is over.
const RECORD_WITHIN: Duration = Duration::from_secs(60);

/// Runs the program of the run in `directory` and returns when nobody of it is left and its record is written. To be
/// called by a process that does nothing else, in its first thread: the program ends with it.
pub fn supervise(directory: &Path) -> io::Result<()> {
    // A signal from the worker's terminal is not meant for programs that outlive it.
    rustix::process::setsid()?;
    let _ = rustix::thread::set_name(c"quantum-clm-run");
    let begun: Begun = durable::read(&directory.join(name::RUN))?.ok_or(io::ErrorKind::NotFound)?;
    let Some(lock) = running::lock(directory)? else {
        // It was given up before we came.
        return Ok(());
    };
    if boot()? != begun.boot || directory.join(name::EXIT).exists() {
        return Ok(());
    }
    // Whoever loses its parent becomes our child, however often it forked.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let supervisor = Supervisor { directory: directory.to_owned(), begun, own: Identity::own()?, _lock: lock };
    let record = match supervisor.begin() {
        Ok(program) => supervisor.conclude(program)?,
        Err(how) => supervisor.record(how, None, Resources::default(), Vec::new()),
    };
    supervisor.write(&record)
}

/// One run, from the supervisor's side.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) directory: PathBuf,
    pub(super) begun: Begun,
    own: Identity,
    /// Says that we live.
    _lock: File,
}

impl Supervisor {
    fn begin(&self) -> Result<Program, How> {
        let cannot = |step: &'static str| move |error: io::Error| errno::not_prepared(step, &error);
        let spec = &self.begun.spec;
        let log = LogWriter::open(&spec.log, LogLimits::of(spec.log_bytes)).map_err(cannot("open its log"))?;
        let log = SharedLog::new(log);
        self.tell_who(None).map_err(cannot("write running.json"))?;
        let mut quarry = Quarry::new(&self.begun.cookie, self.own.start);
        quarry.root = Some(self.own.pid);
        match self.begun.group.as_ref().map(|path| Group::make(path, &spec.limits)) {
            Some(Ok(group)) => quarry.group = Some(group),
            Some(Err(error)) => log.note(&format!("no control group ({error}): limits are kept by watching")),
            None => {}
        }
        let mut orders = Orders::of(&self.directory);
        let begun = orders.may_begin().and_then(|()| self.spawn(&mut quarry, orders, log.clone()));
        if begun.is_err() {
            // The trampoline may have come to something all the same.
            end_all(&quarry, &log, &mut Reaper::default());
            quarry.group.iter().for_each(Group::remove);
        }
        begun
    }

    fn spawn(&self, quarry: &mut Quarry, orders: Orders, log: SharedLog) -> Result<Program, How> {
        let spec = &self.begun.spec;
        let cannot = |step: &'static str| move |error: io::Error| errno::not_prepared(step, &error);
        let watch = Watch::new(&spec.limits, &spec.work, quarry.group.clone());
        log.note(&format!("{} begins: {}", spec.program.as_str(), spec.command.join(" ").replace('\n', "\\n")));
        let mut command = Command::new("/proc/self/exe");
        command.arg0("quantum-clm").args(["exec-program", "--directory"]).arg(&self.directory);
        command.env(COOKIE, &self.begun.cookie);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(cannot("start a process"))?;
        let no_number = || errno::not_prepared("start a process", &io::ErrorKind::Other.into());
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(no_number)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| cannot("watch a process")(errno.into()))?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else { return Err(no_number()) };
        let drain = Drain::start(out, err, log.clone()).map_err(cannot("read its output"))?;
        // Whoever has to end what we leave behind finds it by other marks too.
        quarry.program = Identity::of(child.id().cast_signed()).ok();
        let _ = self.tell_who(quarry.program);
        let reaper = Reaper::of(pid);
        let (quarry, killed) = (quarry.clone(), killed_for_memory());
        Ok(Program { pid, handle, reaper, log, drain, quarry, watch, orders, killed })
    }

    fn tell_who(&self, program: Option<Identity>) -> io::Result<()> {
        let who = Who { boot: self.begun.boot.clone(), supervisor: self.own, program };
        durable::replace(&self.directory.join(name::RUNNING), &who)
    }

    /// Stays with the program until nobody of it is left, and says how it was.
    fn conclude(&self, mut program: Program) -> io::Result<ExitRecord> {
        let stopped = program.attend(self)?;
        let status = program.reaper.status;
        let Program { log, drain, quarry, mut watch, killed, .. } = program;
        watch.finish(super::attend::ticks_of_the_dead()?);
        let mut notes = Vec::new();
        if !drain.finish(OUTPUT_ENDS_WITHIN) {
            notes.push("somebody who is not of the program holds its output open".to_owned());
        }
        let mut how = stopped.unwrap_or(match status {
            Some(Status::Exit(code)) => How::Exit { code },
            Some(Status::Signal(signal)) => How::Signal { signal },
            // It is our child: only somebody else who waited for it could have taken its status.
            None => How::Lost,
        });
        if matches!(how, How::Exit { .. } | How::Signal { .. }) {
            how = exec::said(&self.directory).unwrap_or(how);
        }
        if let Some(group) = &quarry.group {
            if group.refused_forks() > 0 {
                notes.push("it was not allowed to start more processes and threads (worker.tasks)".to_owned());
            }
            let ended_well = matches!(how, How::Exit { code: 0 });
            if group.killed_for_memory() > 0 && !ended_well && matches!(how, How::Exit { .. } | How::Signal { .. }) {
                how = How::OutOfMemory { limit: self.begun.spec.limits.memory };
            }
            group.remove();
        }
        if how == (How::Signal { signal: 9 }) && killed_for_memory() > killed {
            how = How::OutOfMemory { limit: None };
        }
        log.note(&match status {
            Some(status) if !matches!(how, How::Exit { .. } | How::Signal { .. }) => format!("{how} ({status})"),
            _ => how.to_string(),
        });
        let written = log.lock().written();
        if written.lost_lines > 0 {
            notes.push(format!("{} lines of its output are lost: the disk took no more", written.lost_lines));
        }
        let resources = Resources { output_bytes: written.bytes, ..watch.usage().resources };
        Ok(self.record(how, status, resources, notes))
    }

    fn record(&self, how: How, status: Option<Status>, resources: Resources, notes: Vec<String>) -> ExitRecord {
        let spec = &self.begun.spec;
        ExitRecord {
            job: spec.job,
            epoch: spec.epoch,
            program: spec.program,
            how,
            status,
            began_at: self.begun.began_at,
            ended_at: Utc::now().into(),
            resources,
            notes,
        }
    }

    /// Writes the record, as often as it takes. Once nobody renews the lease nobody waits for it for long.
    fn write(&self, record: &ExitRecord) -> io::Result<()> {
        let (reserve, path) = (self.directory.join(name::RESERVE), self.directory.join(name::EXIT));
        let mut since = None;
        loop {
            let Err(error) = durable::spend(&reserve, &path, record) else { return Ok(()) };
            let has_lease =
                self.order().is_ok_and(|order| order.is_some_and(|order| millis_since_boot() <= order.until));
            let since = since.get_or_insert_with(Instant::now);
            if !self.directory.exists() || (!has_lease && since.elapsed() > RECORD_WITHIN) {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// What the worker wants; none in the moment in which it says so.
    fn order(&self) -> io::Result<Option<Order>> {
        Order::read(&self.directory.join(name::ORDER))
    }
}

/// How many processes of this machine the kernel has killed because its memory was at the end.
fn killed_for_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}
