//! Running an operator's program so that nothing of it survives and nothing of it is unknown.
//!
//! ```text
//! worker ─ Runner::start ─▶ supervisor            quantum-clm run-program, a session of its own, subreaper
//!    │   order (lease, cancel) ─▶ │                 drains output ─▶ joblog; watches lease, limits, progress
//!    │                            ├─▶ trampoline   quantum-clm exec-program: session, cgroup, limits, PDEATHSIG
//!    │                            │      └ exec ─▶ the program
//!    └─ Running::poll ◀─ exit.json ┘                written once nobody is left
//! ```
//!
//! A run has a directory of its own, which is all that it needs: whoever has the directory takes the run over, whether it
//! is running, has ended, or died with its supervisor ([`Runner::adopt`]). Its files:
//!
//! | file | by | what |
//! |---|---|---|
//! | `run.json` | start | what to run, and the secret by which its processes are known |
//! | `order` | worker | until when the supervisor may go on, and whether it shall end; written in place, so it needs no room on the disk |
//! | `lock` | supervisor | locked for as long as it lives |
//! | `why.json` | worker | why the program is called off, in the worker's words; there before the order says so |
//! | `running.json` | supervisor | who it and the program are |
//! | `usage.json` | supervisor | what the program takes, every few seconds |
//! | `not-started.json` | trampoline | why it could not become the program |
//! | `exit.json` | supervisor, or who adopts the dead | how it ended; written once nobody is left, never changed |
//! | `exit.reserve` | start | room for `exit.json` on a disk that is full by then |
//! | `supervisor.log` | supervisor | its own complaints |
//!
//! What nobody ends at once: processes that left a program by a double fork when its supervisor *and* the worker are killed with
//! SIGKILL, where there is no control group. They live until somebody adopts the directory.
//!
//! All of this is blocking: for threads, not for async tasks. Linux only.

mod attend;
mod cgroup;
mod drain;
mod durable;
mod end;
mod errno;
mod exec;
mod identity;
mod limits;
mod order;
mod orders;
mod proc;
mod record;
mod running;
mod spec;
mod start;
mod supervisor;
mod usage;

pub use self::exec::execute;
pub use self::identity::{boot, since_boot};
pub use self::record::{ExitRecord, How, Status, Verdict};
pub use self::running::{Adopted, Running};
pub use self::spec::{Limits, Spec};
pub use self::start::{RunError, Runner};
pub use self::supervisor::supervise;
pub use self::usage::Usage;

/// The environment variable by which the processes of a run are known.
const COOKIE: &str = "QUANTUM_CLM_RUN";

/// Names in a run's directory.
mod name {
    pub(super) const RUN: &str = "run.json";
    pub(super) const ORDER: &str = "order";
    pub(super) const WHY: &str = "why.json";
    pub(super) const LOCK: &str = "lock";
    pub(super) const RUNNING: &str = "running.json";
    pub(super) const USAGE: &str = "usage.json";
    pub(super) const EXIT: &str = "exit.json";
    pub(super) const RESERVE: &str = "exit.reserve";
    pub(super) const NOT_STARTED: &str = "not-started.json";
    pub(super) const COMPLAINTS: &str = "supervisor.log";
}
