use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::job::{Failure, FailureKind, JobId, Program, Resources};
use crate::domain::time::Micros;

/// How a program itself ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It exited with this code.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Why a run is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// The program exited by itself.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// A signal killed it that we did not send.
    Signal {
        /// Which.
        signal: i32,
    },
    /// It took more memory than it may.
    OutOfMemory {
        /// Bytes that it may take; none where the machine's memory was at its end.
        limit: Option<u64>,
    },
    /// It had more processes and threads than it may.
    TooManyTasks {
        /// How many it may have.
        limit: u32,
    },
    /// It went on for longer than it may.
    TimeLimit {
        /// Seconds that it may go on.
        seconds: u64,
    },
    /// Its `progress.json` stayed as it was for too long.
    NoProgress {
        /// Seconds that it may.
        seconds: u64,
    },
    /// It was called off.
    Cancelled,
    /// The lease was not renewed in time.
    Fenced,
    /// Its supervisor died; what was left of it was ended.
    Lost,
    /// It could not be started.
    NotStarted {
        /// What, where, and what to do.
        why: String,
        /// Whether the same again may come out otherwise.
        passing: bool,
    },
}

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The program says that it is done: `result.json` has its answer.
    Answered,
    /// It came to nothing.
    Failed(Failure),
    /// It was called off.
    Cancelled,
    /// Nobody knows how it would have gone: its lease was not renewed, or its supervisor died.
    Lost,
}

/// How a run ended. There is one as soon as, and not before, no process of it is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Of which job.
    pub job: JobId,
    /// Under which lease.
    pub epoch: u64,
    /// Which program.
    pub program: Program,
    /// Why it is over.
    #[serde(flatten)]
    pub how: How,
    /// How the program itself ended, if that is known.
    pub status: Option<Status>,
    /// When it began, by the clock.
    pub began_at: Micros,
    /// When nobody was left, by the clock.
    pub ended_at: Micros,
    /// What it took.
    pub resources: Resources,
    /// What else is worth knowing, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl ExitRecord {
    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let (kind, why) = match &self.how {
            How::Exit { code: 0 } => return Verdict::Answered,
            How::Cancelled => return Verdict::Cancelled,
            How::Fenced | How::Lost => return Verdict::Lost,
            How::Exit { .. } => (FailureKind::Program, format!("{}; its log says why", self.how)),
            How::Signal { .. } => (FailureKind::Signal, format!("{}; its log may say why", self.how)),
            How::OutOfMemory { limit: Some(_) } => {
                (FailureKind::OutOfMemory, format!("{}: give it more (worker.memory), or less to do at once", self.how))
            }
            How::OutOfMemory { limit: None } => (
                FailureKind::OutOfMemory,
                format!("{}: set worker.memory to less than there is, or give it less to do at once", self.how),
            ),
            How::TooManyTasks { .. } => {
                (FailureKind::Program, format!("{}: raise worker.tasks if it needs as many", self.how))
            }
            How::TimeLimit { .. } => {
                (FailureKind::TimeLimit, format!("{}: raise the adapter's time_limit, or give it less to do", self.how))
            }
            How::NoProgress { .. } => (
                FailureKind::NoProgress,
                format!("{}: it hangs, or it has to write progress.json more often than no_progress asks", self.how),
            ),
            How::NotStarted { passing: true, .. } => (FailureKind::Infrastructure, self.how.to_string()),
            How::NotStarted { passing: false, .. } => (FailureKind::Configuration, self.how.to_string()),
        };
        let why = self.notes.iter().fold(why, |why, note| format!("{why}; {note}"));
        Verdict::Failed(Failure { kind, why })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "killed by signal {}", signal(*number)),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit { code } => write!(f, "the program ended with exit code {code}"),
            Self::Signal { signal: number } => write!(f, "the program was killed by signal {}", signal(*number)),
            Self::OutOfMemory { limit: Some(limit) } => {
                write!(f, "the program took more than its {} MiB of memory", limit >> 20)
            }
            Self::OutOfMemory { limit: None } => {
                f.write_str("the machine's memory was at its end, and it chose the program")
            }
            Self::TooManyTasks { limit } => write!(f, "the program had more than its {limit} processes and threads"),
            Self::TimeLimit { seconds } => write!(f, "the program went on for longer than its {seconds} seconds"),
            Self::NoProgress { seconds } => {
                write!(f, "the program's progress.json did not change for {seconds} seconds")
            }
            Self::Cancelled => f.write_str("the program was called off"),
            Self::Fenced => f.write_str("the lease was not renewed in time"),
            Self::Lost => f.write_str("the program's supervisor died"),
            Self::NotStarted { why, .. } => write!(f, "the program could not be started: {why}"),
        }
    }
}

/// A signal's number with its name.
fn signal(number: i32) -> String {
    const NAMES: [(i32, &str); 13] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ: a file became larger than it may"),
    ];
    NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map_or_else(|| number.to_string(), |(_, name)| format!("{number} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(how: How) -> ExitRecord {
        ExitRecord {
            job: JobId(17),
            epoch: 2,
            program: Program::Train,
            how,
            status: Some(Status::Exit(0)),
            began_at: Micros(1),
            ended_at: Micros(2),
            resources: Resources::default(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for how in [
            How::Exit { code: 3 },
            How::Signal { signal: 11 },
            How::OutOfMemory { limit: None },
            How::Fenced,
            How::NotStarted { why: "no such file".to_owned(), passing: false },
        ] {
            let text = serde_json::to_string(&record(how.clone())).unwrap();
            assert_eq!(serde_json::from_str::<ExitRecord>(&text).unwrap(), record(how), "{text}");
        }
    }

    #[test]
    fn whose_fault_it_is() {
        let kind = |how| match record(how).verdict() {
            Verdict::Failed(failure) => Some(failure.kind),
            _ => None,
        };
        assert_eq!(record(How::Exit { code: 0 }).verdict(), Verdict::Answered);
        assert_eq!(record(How::Cancelled).verdict(), Verdict::Cancelled);
        assert_eq!(record(How::Fenced).verdict(), Verdict::Lost);
        assert_eq!(record(How::Lost).verdict(), Verdict::Lost);
        assert_eq!(kind(How::Exit { code: 3 }), Some(FailureKind::Program));
        assert_eq!(kind(How::Signal { signal: 11 }), Some(FailureKind::Signal));
        assert_eq!(kind(How::OutOfMemory { limit: Some(1) }), Some(FailureKind::OutOfMemory));
        let not_started = |passing| How::NotStarted { why: String::new(), passing };
        assert_eq!(kind(not_started(true)), Some(FailureKind::Infrastructure));
        assert_eq!(kind(not_started(false)), Some(FailureKind::Configuration));
    }

    #[test]
    fn a_signal_has_its_name() {
        assert_eq!(How::Signal { signal: 11 }.to_string(), "the program was killed by signal 11 (SIGSEGV)");
        assert_eq!(How::Signal { signal: 40 }.to_string(), "the program was killed by signal 40");
    }
}
