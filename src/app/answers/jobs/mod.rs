//! Jobs and workers: as the API sends them and the commands print them.

mod clm;
mod detail;
mod job;
mod log;
mod page;
mod steps;
mod worker;

pub use self::clm::{ClmJob, ClmJobDetail, ClmJobStatus, ClmJobs, ClmJobsQuery, ClmTrain};
pub use self::detail::{JobDetail, JobResults, LeaseAnswer, OutcomeAnswer, RelatedJob};
pub use self::job::{JobAnswer, StepNow, WaitingAnswer, WorkKind, waiting_for};
pub use self::log::{JobLogs, LINES, LogError, LogFormat, LogLine, LogPage, LogQuery, MOST_LINES, lines};
pub use self::page::{JobPage, JobQuery, StateFilter};
pub use self::steps::{StepAnswer, StepState, TryAnswer, TryOutcome, timeline};
pub use self::worker::{WorkerAnswer, WorkerList};
