use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::Utc;

use super::cgroup::Place;
use super::identity::{boot, millis, since_boot};
use super::order::Order;
use super::running::{Adopted, Running};
use super::spec::{Begun, Spec};
use super::{COOKIE, durable, name};
use crate::domain::job::JobId;

/// Why a run could not be begun, looked at or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is one in that directory: it is to be adopted.
    #[error("there is a run in {0} already")]
    Begun(PathBuf),
    /// No program was named.
    #[error("the command is empty")]
    NoCommand,
    /// Its lease was over before it began.
    #[error("the lease was over before the program could begin")]
    Late,
    /// A step of our own failed.
    #[error("cannot {step} {}: {source}", path.display())]
    Io {
        /// Which.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its supervisor died, and processes of it do not end: they hang in the kernel, or belong to another user.
    #[error("processes of {} do not end: {who}", directory.display())]
    Remains {
        /// The run.
        directory: PathBuf,
        /// Of which job.
        job: JobId,
        /// Under which lease.
        epoch: u64,
        /// Who.
        who: String,
    },
}

impl RunError {
    pub(super) fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { step, path: path.to_owned(), source }
    }
}

/// Starts runs, and takes over those that somebody else started. One a worker.
#[derive(Clone, Debug)]
pub struct Runner {
    binary: PathBuf,
    place: Option<Place>,
}

impl Runner {
    /// The supervisor is this very binary, also after another one was installed in its place. Where control groups need
    /// it, this process moves into a group of its own.
    pub fn of_this_binary() -> Self {
        Self::of_binary("/proc/self/exe")
    }

    /// The supervisor is the binary at `path`.
    pub fn of_binary(path: impl Into<PathBuf>) -> Self {
        Self { binary: path.into(), place: Place::settle() }
    }

    /// The same without control groups, as on a machine where we may make none.
    pub fn without_groups(self) -> Self {
        Self { place: None, ..self }
    }

    /// Whether runs get control groups, which keep limits better than watching does.
    pub fn has_groups(&self) -> bool {
        self.place.is_some()
    }

    /// Begins a run in `directory`, which is made if need be and has no run yet. It goes on for as long as the lease is renewed:
    /// until `until` at first, as [`since_boot`] counts. An error means that nothing was started, and nothing was left that a
    /// later try would meet.
    pub fn start(&self, directory: &Path, spec: Spec, until: Duration) -> Result<Running, RunError> {
        if spec.command.is_empty() {
            return Err(RunError::NoCommand);
        }
        let at = |name: &str| directory.join(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(RunError::io("make", directory))?;
        if at(name::RUN).exists() {
            return Err(RunError::Begun(directory.to_owned()));
        }
        let cookie = cookie().map_err(RunError::io("draw a random number for", directory))?;
        let begun = Begun {
            group: self.place.as_ref().map(|place| {
                let short = cookie.get(..12).unwrap_or_default();
                place.group(&format!("{}-{}-{}-{short}", spec.job, spec.epoch, spec.program.as_str()))
            }),
            boot: boot().map_err(RunError::io("read the boot id for", directory))?,
            began_at: Utc::now().into(),
            cookie,
            spec,
        };
        let reserve = at(name::RESERVE);
        // A try before may have met a full disk.
        let _ = fs::remove_file(&reserve);
        durable::reserve(&reserve).map_err(RunError::io("set room aside at", &reserve))?;
        // All of this may have waited for a disk.
        if since_boot() >= until {
            return Err(RunError::Late);
        }
        let order = Order::run(millis(until));
        order.write(&at(name::ORDER)).map_err(RunError::io("write", &at(name::ORDER)))?;
        let started = durable::create(&at(name::RUN), &begun)
            .map_err(RunError::io("write", &at(name::RUN)))
            .and_then(|()| self.spawn(directory, &begun).map_err(RunError::io("start the supervisor of", directory)));
        match started {
            Ok(supervisor) => Ok(Running::new(directory, begun, order, Some(supervisor))),
            Err(error) => {
                // Nothing runs, so it was not begun.
                let _ = fs::remove_file(at(name::RUN));
                Err(error)
            }
        }
    }

    /// Takes over what is in `directory`, after a restart. If its supervisor died, what it left is ended first.
    pub fn adopt(&self, directory: &Path) -> Result<Adopted, RunError> {
        Running::adopt(directory)
    }

    fn spawn(&self, directory: &Path, begun: &Begun) -> io::Result<Child> {
        let complaints = File::options().append(true).create(true).open(directory.join(name::COMPLAINTS))?;
        let mut command = Command::new(&self.binary);
        command.arg0("quantum-clm").args(["run-program", "--directory"]).arg(directory);
        command.env_clear().env(COOKIE, &begun.cookie);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints);
        command.spawn()
    }
}

/// Nobody else's environment has it.
fn cookie() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
