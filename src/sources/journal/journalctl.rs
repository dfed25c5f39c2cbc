//! The program that reads the journal: how it is called, and what its failures mean.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{ChildStdout, Command};
use std::time::{Duration, Instant};

use super::export::{Entry, Item, OUTPUT_FIELDS, Parser};
use super::matches::Units;
use crate::config;
use crate::domain::feed::Position;
use crate::domain::time::Micros;
use crate::process::{ChildProcess, Ending, StopFlag, describe};

/// As much as journalctl may be ahead of us; the kernel's limit for an unprivileged pipe.
const PIPE_BYTES: usize = 1 << 20;

/// Why the journal cannot be read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{summary}: {remedy}")]
pub struct Failure {
    /// What is wrong.
    pub summary: String,
    /// What to do about it.
    pub remedy: String,
}

/// How `journalctl` is called: everything but the place where it starts.
#[derive(Clone, Debug)]
pub(super) struct Journalctl {
    program: PathBuf,
    directory: Option<PathBuf>,
    matches: Vec<String>,
    patience: Duration,
}

/// An entry that a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) position: Position,
    /// Whether it passes the filter.
    pub(super) ours: bool,
}

/// Which entries a probe looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// All.
    All,
    /// Those that match.
    Matching,
    /// All of the current boot (or the last one of a directory).
    CurrentBoot,
}

impl Journalctl {
    pub(super) fn new(config: &config::Journal, units: &Units, patience: Duration) -> Self {
        Self {
            program: config.journalctl.clone(),
            directory: config.directory.clone(),
            matches: units.match_args(),
            patience,
        }
    }

    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    pub(super) fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// A command with the journal chosen and nothing else.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(directory) = &self.directory {
            command.arg("-D").arg(directory);
        }
        command
    }

    /// The child that is read: from `cursor` on (with that entry), from the oldest entry without one; for ever.
    ///
    /// `-m` because without it `-f` adds the current boot to the match. `--no-tail` because `-f` alone begins ten lines
    /// before the end, even with a cursor. No matches: journalctl asks one match after the other for its next entry, and
    /// what is written in between to one that it has asked already comes to light behind its place and is skipped
    /// without a word (seen with systemd 252, about one entry in 10,000 of a burst). So everything is read, and
    /// `matches.rs` filters.
    pub(super) fn follow(&self, cursor: Option<&str>) -> Result<(ChildProcess, ChildStdout), Failure> {
        let mut command = self.command();
        command.args(["-q", "-m", "-f", "--no-tail", "-o", "export"]).arg(format!("--output-fields={OUTPUT_FIELDS}"));
        command.args(cursor.map(|cursor| format!("--cursor={cursor}")));
        let (child, stdout) = self.spawn(command)?;
        // Less than asked for (a user's quota) is slower, not wrong.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
        Ok((child, stdout))
    }

    /// The first entries, at most `count`, that journalctl prints with `args`.
    pub(super) fn probe(
        &self,
        args: &[&str],
        among: Among,
        count: usize,
        units: &Units,
        stop: &StopFlag,
    ) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        self.entries(args, among, stop, &mut |entry| {
            let cursor = String::from_utf8_lossy(entry.cursor()).into_owned();
            let position = Position { cursor, ts: Micros(entry.realtime()) };
            seen.push(Seen { position, ours: units.origin(entry).is_some() });
            if seen.len() == count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(seen)
    }

    /// Shows `visit` the entries that journalctl prints with `args`, until it breaks.
    pub(super) fn entries(
        &self,
        args: &[&str],
        among: Among,
        stop: &StopFlag,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut command = self.command();
        command.args(["-q", "-o", "export"]).arg(format!("--output-fields={OUTPUT_FIELDS}")).args(args);
        match among {
            Among::All => _ = command.arg("-m"),
            Among::Matching => _ = command.arg("-m").args(&self.matches),
            // journalctl refuses `-b` together with `-m`.
            Among::CurrentBoot => _ = command.arg("-b"),
        }
        let (child, mut stdout) = self.spawn(command)?;
        let mut none = true;
        let mut parser = Parser::new();
        let until = Instant::now() + self.patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.is_set() {
                return Err(self.silent());
            }
            if !stop.wait_readable(stdout.as_fd(), left).map_err(|error| self.broken(&error))? {
                continue;
            }
            let read = match stdout.read(parser.space()) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken(&error)),
            };
            if read == 0 {
                let ending = child.finish(left).map_err(|error| self.broken(&error))?;
                // A cursor that is none cannot be in the journal: the caller's own finding, not a failure.
                if none && !ending.status.success() && !ending.stderr.contains("Failed to seek to cursor") {
                    return Err(self.ended(&ending));
                }
                return Ok(());
            }
            parser.filled(read);
            while let Some(item) = parser.next() {
                let Item::Entry(entry) = item else { continue };
                none = false;
                if visit(&entry).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// The standard output of a short call, as text.
    pub(super) fn output(&self, args: &[&str]) -> Result<(String, Ending), Failure> {
        let mut command = self.command();
        command.args(args);
        let (child, mut stdout) = self.spawn(command)?;
        let stop = StopFlag::new().map_err(|error| self.broken(&error))?;
        let mut text = Vec::new();
        let mut chunk = [0; 8 << 10];
        let until = Instant::now() + self.patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.silent());
            }
            if !stop.wait_readable(stdout.as_fd(), left).map_err(|error| self.broken(&error))? {
                continue;
            }
            match stdout.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => text.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
        let ending = child.finish(self.patience).map_err(|error| self.broken(&error))?;
        Ok((String::from_utf8_lossy(&text).into_owned(), ending))
    }

    fn spawn(&self, command: Command) -> Result<(ChildProcess, ChildStdout), Failure> {
        let program = self.program.display();
        let mut child = ChildProcess::spawn(command, &[]).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "install systemd, or name the program with journal.journalctl",
                io::ErrorKind::PermissionDenied => "make it executable, or name another with journal.journalctl",
                _ => "look at the limits of processes and memory",
            };
            Failure { summary: format!("cannot run {program}: {error}"), remedy: remedy.into() }
        })?;
        let stdout = child.take_stdout().ok_or_else(|| self.broken(&io::Error::other("no standard output")))?;
        Ok((child, stdout))
    }

    fn silent(&self) -> Failure {
        Failure {
            summary: format!("{} gives no answer", self.program.display()),
            remedy: "look at the disk that holds the journal, and run journalctl -n 1 by hand".into(),
        }
    }

    pub(super) fn broken(&self, error: &io::Error) -> Failure {
        let summary = format!("cannot read from {}: {error}", self.program.display());
        Failure { summary, remedy: "it is started again by itself".into() }
    }

    /// What an exit means that should not have been.
    pub(super) fn ended(&self, ending: &Ending) -> Failure {
        let said = ending.stderr.lines().last().unwrap_or_default();
        let mut summary =
            format!("{} ended ({})", OsStr::new(&self.program).to_string_lossy(), describe(ending.status));
        if !said.is_empty() {
            summary = format!("{summary}: {}", said.chars().take(300).collect::<String>());
        }
        Failure { summary, remedy: self.remedy(&ending.stderr) }
    }

    /// What to do about something that journalctl said.
    pub(super) fn remedy(&self, said: &str) -> String {
        match &self.directory {
            _ if !said.contains("ermission") => match &self.directory {
                Some(directory) if said.contains("No such file") => {
                    format!("create {} or change journal.directory", directory.display())
                }
                _ => "it is started again by itself; run it by hand to see more".into(),
            },
            Some(directory) => format!("let the daemon's user read {} and the files in it", directory.display()),
            None => "add the daemon's user to the group systemd-journal (usermod -aG systemd-journal quantum-clm) and \
                     restart it"
                .into(),
        }
    }
}
