//! Jobs: what is to be run by a worker, where it stands, and everything that may happen to it on the way.
//!
//! A job is run under a lease: a worker has it for an epoch, and whatever it says names that epoch. Once the job is taken
//! from it, everything it still says is refused. A job is called failed, cancelled or pending again only when no process
//! of it can be alive any more.

mod concern;
mod id;
mod kind;
mod life;
mod new;
mod queue;
mod record;
mod report;
mod setback;
mod step;
mod todo;
mod trigger;
mod work;

#[cfg(test)]
mod tests;

pub use self::concern::Concern;
pub use self::id::{BadJobId, JobId};
pub use self::kind::{HookRun, JobKind, JsonText, MOST_SPAN_DAYS, Training};
pub use self::life::{Holder, Refusal};
pub use self::new::NewJob;
pub use self::queue::{Asking, OpenJob, Queue};
pub use self::record::{
    BadPriority, Cancel, Failure, FailureKind, Job, JobState, Lease, Priority, Resources, StepOutcome, StepRecord,
    Waiting,
};
pub use self::report::Taken;
pub use self::setback::Patience;
pub use self::step::{BadProgram, JobStep, Program};
pub use self::todo::Todo;
pub use self::trigger::{BadTrigger, Trigger};
pub use self::work::{
    AdapterRequest, Assignment, Beat, BeatAnswer, Continued, Ending, Finished, Held, LeaseRequest, LogAnswer,
    RefusalCode, Report, ReportAnswer, StepEnd,
};
