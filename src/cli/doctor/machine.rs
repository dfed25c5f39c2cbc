use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::domain::predecessor::UNITS;
use crate::domain::time::Micros;
use crate::http::accept::Limits;
use crate::http::files;
use crate::observe::now;
use crate::process::ChildProcess;

/// What every system gives. The daemon lives with it, but takes fewer connections at once.
const LEAST_FILES: u64 = 1024;

/// 2025-01-01: a machine that thinks it is earlier woke up without a clock.
const EARLIEST: Micros = Micros(1_735_689_600_000_000);

/// systemd answers in milliseconds or has other worries.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn limits() -> Check {
    const NAME: &str = "limits";
    let wanted = files::wanted(&Limits::default());
    // The daemon raises its own soft limit.
    match getrlimit(Resource::Nofile).maximum {
        Some(files) if files < LEAST_FILES => Check::fail(
            NAME,
            format!("a process of this user may open {files} files, {LEAST_FILES} are needed"),
            "raise it: ulimit -Hn 65536 here, LimitNOFILE=65536 in the unit",
        ),
        Some(files) if files < wanted => Check::warn(
            NAME,
            format!("a process of this user may open {files} files, so fewer connections are taken at once"),
            "raise it: ulimit -Hn 65536 here, LimitNOFILE=65536 in the unit",
        ),
        Some(files) => Check::ok(NAME, format!("a process may open {files} files")),
        None => Check::ok(NAME, "a process may open any number of files"),
    }
}

pub(super) fn clock() -> Check {
    judge_clock(now(), synchronised())
}

fn judge_clock(now: Micros, synchronised: Option<bool>) -> Check {
    const NAME: &str = "clock";
    let at = now.rfc3339();
    if now < EARLIEST {
        let what = format!("it is {at} here: the clock was never set");
        return Check::fail(NAME, what, "set it, and keep it set: timedatectl set-ntp true");
    }
    match synchronised {
        Some(true) => Check::ok(NAME, format!("it is {at} here, kept by NTP")),
        Some(false) => Check::warn(NAME, format!("it is {at} here, not kept by NTP"), "timedatectl set-ntp true"),
        None => Check::warn(
            NAME,
            format!("it is {at} here; whether NTP keeps it cannot be told"),
            "run a time service such as systemd-timesyncd or chrony",
        ),
    }
}

/// Whether the kernel's clock is synchronised. timedatectl asks the kernel, whoever keeps the clock.
fn synchronised() -> Option<bool> {
    match output("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref().map(str::trim) {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => Path::new("/run/systemd/timesync/synchronized").exists().then_some(true),
    }
}

pub(super) fn predecessor() -> Check {
    let mut arguments = vec!["is-active"];
    arguments.extend(UNITS);
    judge_predecessor(output("systemctl", &arguments).as_deref())
}

fn judge_predecessor(answer: Option<&str>) -> Check {
    const NAME: &str = "predecessor";
    let states: Vec<&str> = answer.unwrap_or_default().lines().map(str::trim).collect();
    if states.len() != UNITS.len() {
        return Check::ok(NAME, "there is no systemd here that could run its units");
    }
    let runs = |state: &str| matches!(state, "active" | "activating" | "reloading" | "deactivating");
    let running: Vec<&str> = UNITS.iter().zip(states).filter(|(_, state)| runs(state)).map(|(unit, _)| *unit).collect();
    if running.is_empty() {
        return Check::ok(NAME, "its units do not run");
    }
    let units = running.join(" ");
    Check::warn(
        NAME,
        format!("{units} runs: until it stops, redis.mirror = \"auto\" writes nothing to Redis"),
        format!("systemctl disable --now {units}"),
    )
}

/// What a program says, if it is there and says it in time. A few lines, which any pipe holds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let mut child = ChildProcess::spawn(command, &[]).ok()?;
    let mut stdout = child.take_stdout()?;
    // After this nobody holds the other end of the pipe, so that reading ends.
    child.finish(PATIENCE).ok().filter(|ending| ending.group_gone)?;
    let mut text = String::new();
    stdout.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn clocks() {
        let day = |days: u64| EARLIEST.plus(days * Micros::DAY);
        assert_eq!(judge_clock(Micros(0), Some(true)).state, Verdict::Fail);
        assert_eq!(judge_clock(day(1), Some(true)).state, Verdict::Ok);
        assert_eq!(judge_clock(day(1), Some(false)).state, Verdict::Warn);
        assert_eq!(judge_clock(day(1), None).state, Verdict::Warn);
    }

    #[test]
    fn who_runs() {
        for (answer, state) in [
            (None, Verdict::Ok),
            (Some(""), Verdict::Ok),
            (Some("inactive\nfailed\n"), Verdict::Ok),
            (Some("active\ninactive\n"), Verdict::Warn),
            (Some("inactive\nactivating\n"), Verdict::Warn),
        ] {
            assert_eq!(judge_predecessor(answer).state, state, "{answer:?}");
        }
    }

    #[test]
    fn what_is_not_there_says_nothing() {
        assert_eq!(output("/nonexistent/systemctl", &[]), None);
        assert_eq!(output("echo", &["yes"]).as_deref(), Some("yes\n"));
    }
}
