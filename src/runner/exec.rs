//! The trampoline: the process that becomes the program. It is started by the supervisor and sets for itself what the
//! program cannot be given from outside without `unsafe`.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::cgroup::Group;
use super::identity::Who;
use super::record::How;
use super::spec::{Begun, Limits, Spec};
use super::{COOKIE, durable, errno, name, proc};

/// What is allowed besides the limit, where a limit can only be kept by something that counts more than it should: the
/// watch keeps the limit itself, this keeps what is faster than the watch.
const BESIDE_MEMORY: u64 = 1 << 30;

/// Exit code of a trampoline that could not become the program; a file says why.
const NOT_STARTED: i32 = 126;

/// Becomes the program of the run in `directory`. Returns, with the exit code, only if that could not be done.
pub fn execute(directory: &Path) -> i32 {
    let why = match durable::read::<Begun>(&directory.join(name::RUN)) {
        Ok(Some(begun)) => become_program(directory, &begun),
        Ok(None) => errno::not_prepared("read what to run", &io::ErrorKind::NotFound.into()),
        Err(error) => errno::not_prepared("read what to run", &error),
    };
    // Where the disk is full, the exit code alone says that it was not started.
    let _ = durable::replace(&directory.join(name::NOT_STARTED), &why);
    NOT_STARTED
}

/// Why a trampoline ended: none if it did not say so.
pub(super) fn said(directory: &Path) -> Option<How> {
    durable::read(&directory.join(name::NOT_STARTED)).ok().flatten()
}

fn become_program(directory: &Path, begun: &Begun) -> How {
    if let Err((step, error)) = prepare(directory, begun) {
        return errno::not_prepared(step, &error);
    }
    let Some((program, arguments)) = begun.spec.command.split_first() else {
        return errno::not_prepared("run an empty command", &io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&begun.spec.work).env_clear().envs(environment(begun));
    errno::not_started(program, &command.exec())
}

fn prepare(directory: &Path, begun: &Begun) -> Result<(), (&'static str, io::Error)> {
    let step = |step| move |error: rustix::io::Errno| (step, error.into());
    let spec = &begun.spec;
    // A signal to the supervisor's session, or from its terminal, is none to the program, and the other way round.
    rustix::process::setsid().map_err(step("make a session"))?;
    // With the supervisor goes the program. If it has gone already, nobody would tell us.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(step("be tied to the supervisor"))?;
    let who: Option<Who> =
        durable::read(&directory.join(name::RUNNING)).map_err(|e| ("read who the supervisor is", e))?;
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get());
    if parent != who.map(|who| who.supervisor.pid) {
        return Err(("be tied to the supervisor", io::ErrorKind::BrokenPipe.into()));
    }
    let group = begun.group.as_deref().and_then(Group::at);
    if let Some(group) = &group {
        group.enter().map_err(|error| ("enter the control group", error))?;
    }
    // Whoever could become another user could not be ended by us.
    rustix::thread::set_no_new_privs(true).map_err(step("renounce new privileges"))?;
    // When the machine's memory ends, a training is to go before the daemon. Lowering it again is not ours to allow.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    limit(&spec.limits, group.as_ref()).map_err(step("set the limits of its resources"))?;
    let temporary = spec.work.join("tmp");
    fs::create_dir_all(&temporary).map_err(|error| ("make its directory for temporary files", error))
}

/// Limits that a process carries with it. With a control group they only cover what it does not.
fn limit(limits: &Limits, group: Option<&Group>) -> rustix::io::Result<()> {
    set(Resource::Core, 0)?;
    if let Some(bytes) = limits.file_bytes {
        set(Resource::Fsize, bytes)?;
    }
    if let Some(files) = limits.open_files {
        set(Resource::Nofile, files)?;
    }
    if let Some(memory) = limits.memory
        && !group.is_some_and(Group::limits_memory)
    {
        // Of each process, and what it may write to without having done so counts.
        set(Resource::Data, memory.saturating_mul(2).saturating_add(BESIDE_MEMORY))?;
    }
    if let Some(tasks) = limits.tasks {
        // Of the user, whoever they belong to; without effect for root.
        let others = proc::tasks_of_user(rustix::process::getuid().as_raw()).unwrap_or(0);
        set(Resource::Nproc, others.saturating_add(2 * u64::from(tasks)))?;
    }
    if let Some(cpus) = limits.cpus
        && !group.is_some_and(Group::limits_cpus)
    {
        // Which ones is left to chance, so that several programs do not share the first.
        keep_to(cpus.ceil().max(1.0) as usize, rustix::process::getpid().as_raw_nonzero().get() as usize)?;
    }
    Ok(())
}

/// Sets a limit for good, or leaves a lower one.
fn set(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |now| now.min(most));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}

/// Leaves this process `most` of the processors that it may use.
fn keep_to(most: usize, chance: usize) -> rustix::io::Result<()> {
    let may = sched_getaffinity(None)?;
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| may.is_set(*cpu)).collect();
    if most >= cpus.len() {
        return Ok(());
    }
    let mut kept = CpuSet::new();
    cpus.iter().cycle().skip(chance % cpus.len()).take(most).for_each(|cpu| kept.set(*cpu));
    sched_setaffinity(None, &kept)
}

/// All that the program is told by its environment.
fn environment(begun: &Begun) -> Vec<(String, std::ffi::OsString)> {
    let Spec { work, environment, secrets, .. } = &begun.spec;
    let path = std::env::var_os("PATH")
        .unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    let mut all = vec![
        ("PATH".to_owned(), path),
        ("LC_ALL".to_owned(), "C.UTF-8".into()),
        ("HOME".to_owned(), work.into()),
        ("TMPDIR".to_owned(), work.join("tmp").into()),
    ];
    all.extend(environment.iter().map(|(name, value)| (name.clone(), value.into())));
    all.extend(secrets.iter().map(|(name, path)| (format!("{name}_FILE"), path.into())));
    all.push((COOKIE.to_owned(), begun.cookie.clone().into()));
    all
}
