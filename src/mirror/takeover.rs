//! Whether somebody else still does the mirror's work: the predecessor, on this machine or another.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::condition::MirrorError;
use super::connection::Connection;
use super::place::{Own, event_time};
use super::resp::Reply;
use super::stream::{self, Entry, EntryId};
use crate::domain::predecessor::UNITS;
use crate::domain::time::Micros;

/// systemd answers in milliseconds or has other worries.
const PATIENCE: Duration = Duration::from_secs(3);

/// Entries in which the predecessor's newest event is looked for: it reads several units, each at its own pace.
const NEWEST: usize = 100;

/// Whether the predecessor's units run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Predecessor {
    Runs(String),
    Stopped,
    /// There is no systemd to ask.
    Unknown,
}

/// What the stream ends with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// The age of the newest entry, where it is somebody else's.
    pub(super) foreign: Option<Duration>,
    /// The time of the newest event of somebody else's.
    pub(super) until: Option<Micros>,
}

/// How long a stream must be silent before its writer counts as gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    /// When the predecessor's units are known to be stopped.
    pub(super) stopped: Duration,
    /// When nothing is known of them.
    pub(super) unknown: Duration,
}

/// Why the mirror holds, if it does.
pub(super) fn reason(predecessor: &Predecessor, ending: &Ending, quiet: Quiet) -> Option<String> {
    let needed = match predecessor {
        Predecessor::Runs(unit) => return Some(format!("{unit} runs and writes to the same stream")),
        Predecessor::Stopped => quiet.stopped,
        Predecessor::Unknown => quiet.unknown,
    };
    let age = ending.foreign.filter(|age| *age < needed)?;
    Some(format!(
        "somebody else wrote to the stream {} s ago; the mirror begins when that is {} s ago",
        age.as_secs(),
        needed.as_secs()
    ))
}

/// Looks at the stream's end.
pub(super) async fn ending(connection: &mut Connection, key: &str) -> Result<Ending, MirrorError> {
    let entries = stream::newest_first(connection, key, None, EntryId::default(), NEWEST).await?;
    let Some(newest) = entries.first().filter(|entry| Own::of(entry).is_none()) else {
        return Ok(Ending::default());
    };
    let time = connection.ask(&[b"TIME"]).await?;
    let seconds: u64 = time.items().first().and_then(Reply::text).and_then(|text| text.parse().ok()).unwrap_or(0);
    // The clock of Redis, which gave the entry its id.
    let age = Duration::from_millis((seconds * 1_000).saturating_sub(newest.id.ms));
    let until = entries.iter().filter(|entry: &&Entry| Own::of(entry).is_none()).filter_map(event_time).max();
    Ok(Ending { foreign: Some(age), until })
}

/// Asks systemd. Blocks.
pub(super) fn predecessor(systemctl: &PathBuf) -> Predecessor {
    let child = Command::new(systemctl)
        .arg("is-active")
        .args(UNITS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return Predecessor::Unknown };
    if wait(&mut child).is_err() {
        let _ = child.kill();
        let _ = child.wait();
        return Predecessor::Unknown;
    }
    let output = child.stdout.take().map(io::read_to_string).and_then(Result::ok).unwrap_or_default();
    judge(&output)
}

/// Two short lines fit any pipe, so the child ends without anybody reading.
fn wait(child: &mut Child) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One line a unit, in the order asked.
fn judge(output: &str) -> Predecessor {
    let states: Vec<&str> = output.lines().map(str::trim).collect();
    let runs = |state: &&str| matches!(*state, "active" | "activating" | "reloading" | "deactivating");
    match states.iter().zip(UNITS).find(|(state, _)| runs(state)) {
        Some((_, unit)) => Predecessor::Runs(unit.to_owned()),
        None if states.len() == UNITS.len() => Predecessor::Stopped,
        None => Predecessor::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_says_who_runs() {
        assert_eq!(judge("inactive\nactive\n"), Predecessor::Runs(UNITS[1].into()));
        assert_eq!(judge("activating\ninactive\n"), Predecessor::Runs(UNITS[0].into()));
        assert_eq!(judge("inactive\nfailed\n"), Predecessor::Stopped);
        assert_eq!(judge(""), Predecessor::Unknown);
        assert_eq!(predecessor(&"/nonexistent/systemctl".into()), Predecessor::Unknown);
    }

    #[test]
    fn it_holds_while_somebody_is_at_work() {
        let quiet = Quiet { stopped: Duration::from_secs(60), unknown: Duration::from_secs(300) };
        let age = |seconds| Ending { foreign: Some(Duration::from_secs(seconds)), until: None };
        let runs = Predecessor::Runs(UNITS[0].into());
        for (predecessor, ending, holds) in [
            (&runs, Ending::default(), true),
            (&Predecessor::Stopped, Ending::default(), false),
            (&Predecessor::Stopped, age(59), true),
            (&Predecessor::Stopped, age(60), false),
            (&Predecessor::Unknown, age(299), true),
            (&Predecessor::Unknown, age(300), false),
        ] {
            let reason = reason(predecessor, &ending, quiet);
            assert_eq!(reason.is_some(), holds, "{predecessor:?}, {ending:?}: {reason:?}");
        }
    }
}
