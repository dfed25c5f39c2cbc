//! The process that looks into a data file. redb may panic, run out of memory or worse on pages that make no sense, and
//! that must not be the daemon's end.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::VerifyError;
use super::files;
use crate::domain::backup::{Looked, Part};
use crate::process::{ChildProcess, describe};
use crate::store::{self, OpenError};

/// The longest answer that is read.
const MOST_ANSWER: u64 = 256 << 20;

/// How long a child may take, and how much longer for each MiB: a slow disk reads ten a second.
const PATIENCE: Duration = Duration::from_secs(300);
const PATIENCE_A_MIB: Duration = Duration::from_millis(250);

/// Nothing of its own makes a process end by this one.
const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();

/// How low the child's claim to the processor is.
const NICE: i32 = 10;

/// The program that runs as the child process that verifies.
#[derive(Clone, Debug)]
pub struct Verifier {
    program: PathBuf,
}

impl Verifier {
    /// This program itself, also where an upgrade has removed or replaced its file.
    pub fn this_program() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }

    /// The quantum-clm at `path`: for whoever is not quantum-clm, as tests are not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { program: path.into() }
    }
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Looked(Box<Looked>),
    InUse,
    Failed(String),
}

/// Has a child look at everything in the data file at `path`, and at models' files below `artifacts`.
pub(super) fn look(path: &Path, artifacts: Option<&Path>, verifier: &Verifier) -> Result<Looked, VerifyError> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(VerifyError::Missing(path.to_owned())),
        Err(source) => return Err(VerifyError::Io { step: "look at", path: path.to_owned(), source }),
    };
    let mut command = Command::new(&verifier.program);
    command.arg("verify").arg("--child");
    if let Some(artifacts) = artifacts {
        command.arg("--artifacts").arg(artifacts);
    }
    command.arg("--").arg(path);
    let environment: &[(&str, OsString)] = &[];
    let mut child = ChildProcess::spawn(command, environment).map_err(VerifyError::Child)?;
    let stdout = child.take_stdout();
    let reader = std::thread::Builder::new().name("verify-answer".into()).spawn(move || {
        let mut answer = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(MOST_ANSWER).read_to_end(&mut answer);
        }
        answer
    });
    let reader = reader.map_err(VerifyError::Child)?;
    let mib = u32::try_from(size >> 20).unwrap_or(u32::MAX);
    let ending = child.finish(PATIENCE + PATIENCE_A_MIB.saturating_mul(mib)).map_err(VerifyError::Child)?;
    let answer = reader.join().unwrap_or_default();
    match serde_json::from_slice(&answer) {
        Ok(Answer::Looked(looked)) if ending.status.success() => Ok(*looked),
        Ok(Answer::InUse) => Err(VerifyError::InUse(path.to_owned())),
        Ok(Answer::Failed(why)) => {
            Err(VerifyError::Io { step: "open", path: path.to_owned(), source: io::Error::other(why) })
        }
        _ if ending.status.signal() == Some(SIGKILL) => Err(VerifyError::Killed),
        _ => {
            let mut looked = Looked::default();
            let last = ending.stderr.lines().last().map_or_else(String::new, |line| format!(" ({line})"));
            let why = format!(
                "the process that looked at them ended without an answer: {}{last}; pages that make no sense do that",
                describe(ending.status)
            );
            looked.report.add(Part::Structure, "pages", why);
            Ok(looked)
        }
    }
}

/// The child's side: looks, and prints the answer. Low in priority, and first to go where memory runs out.
pub fn answer(path: &Path, artifacts: Option<&Path>) -> io::Result<Vec<u8>> {
    let _ = rustix::process::nice(NICE);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let answer = match store::verify(path) {
        Ok(mut looked) => {
            if let Some(directory) = artifacts {
                look_at_artifacts(directory, &mut looked);
            }
            Answer::Looked(Box::new(looked))
        }
        Err(OpenError::InUse { .. }) => Answer::InUse,
        Err(error) => Answer::Failed(error.to_string()),
    };
    serde_json::to_vec(&answer).map_err(io::Error::other)
}

/// Compares models' files below a data directory's `artifacts` with their digests.
fn look_at_artifacts(directory: &Path, looked: &mut Looked) {
    for artifact in &looked.artifacts {
        let name = super::layout::plain_name(&artifact.sha256);
        let path = directory.join("sha256").join(&name);
        let why = match files::digest(&path) {
            Ok((size, sha256)) if sha256 == artifact.sha256 => {
                looked.report.artifacts += 1;
                looked.report.bytes += size;
                continue;
            }
            Ok((size, sha256)) => format!("it has {size} bytes with the SHA-256 {sha256}: it is damaged"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not there".to_owned(),
            Err(error) => format!("it cannot be read: {error}"),
        };
        looked.report.add(Part::Artifacts, artifact.sha256.to_string(), why);
    }
}
