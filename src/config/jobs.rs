use std::time::Duration;

use super::key::{Key, key};
use super::value::{self, within};
use crate::domain::job::Patience;

/// Beats that a worker may miss before its job counts as lost.
const MISSED: u32 = 4;

/// `[jobs]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Training jobs that are held at once.
    pub running: u32,
    /// How often a worker says that it is at it.
    pub heartbeat: Duration,
    /// How long after a job was lost its processes are known to be dead.
    pub fence: Duration,
    /// Failures in a row that are nobody's fault.
    pub setbacks: u32,
    /// The pause after the first of them.
    pub backoff: Duration,
    /// Jobs that may wait.
    pub waiting: u32,
    /// What is kept of a job's log.
    pub log_bytes: u64,
    /// What is kept of all logs together.
    pub logs_bytes: u64,
    /// Days that jobs which are over are kept.
    pub retention_days: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            running: 2,
            heartbeat: Duration::from_secs(15),
            fence: Duration::from_secs(60),
            setbacks: 5,
            backoff: Duration::from_secs(30),
            waiting: 10_000,
            log_bytes: 64 << 20,
            logs_bytes: 10 << 30,
            retention_days: 365,
        }
    }
}

impl Jobs {
    /// How long a worker is silent before its job counts as lost; also how long it may go on without an answer.
    pub fn lease(&self) -> Duration {
        self.heartbeat * MISSED
    }

    /// How failures that are nobody's fault are tried again.
    pub fn patience(&self) -> Patience {
        Patience { setbacks: self.setbacks, first: self.backoff }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            jobs.running,
            value::Whole<u32>,
            |jobs| within(u64::from(*jobs), 1, 1_000),
            "Training jobs that workers are at at once, 1 to 1000; of one model never more than one. Hooks do not count."
        ),
        key!(
            jobs.heartbeat,
            value::Time,
            |time| between(time, 1, 60),
            "How often a worker says that it is at a job, \"1s\" to \"1m\". After four times as long without a word the job is \
             lost; a worker that speaks over a network has ended its processes before that."
        ),
        key!(
            jobs.fence,
            value::Time,
            |time| between(time, 1, 3_600),
            "How long after a job was lost it is given to another worker, \"1s\" to \"1h\", if its own does not come back \
             before. Longer than any worker takes to end its processes."
        ),
        key!(
            jobs.setbacks,
            value::Whole<u32>,
            |setbacks| within(u64::from(*setbacks), 0, 100),
            "How often in a row a job is tried again that came to nothing through no fault of its program (its worker was \
             lost, a disk was full), 0 to 100. What a program itself fails at is not tried again."
        ),
        key!(
            jobs.backoff,
            value::Time,
            |time| between(time, 1, 1_800),
            "The pause before the first of these tries, \"1s\" to \"30m\"; each further one is twice as long, up to 30 minutes."
        ),
        key!(
            jobs.waiting,
            value::Whole<u32>,
            |jobs| within(u64::from(*jobs), 1, 100_000),
            "Jobs that may be open at once, 1 to 100000; more are refused."
        ),
        key!(
            jobs.log_bytes,
            value::Size,
            |bytes| {
                let fits = (1 << 20..=4 << 30).contains(bytes);
                if fits { Ok(()) } else { Err("must be from 1MiB to 4GiB".into()) }
            },
            "What is kept of what a job's programs write, \"1MiB\" to \"4GiB\": its beginning and its end."
        ),
        key!(
            jobs.logs_bytes,
            value::Size,
            |bytes| {
                let fits = (64 << 20..=1 << 50).contains(bytes);
                if fits { Ok(()) } else { Err("must be from 64MiB to 1024TiB".into()) }
            },
            "What the logs of all jobs together may take, 64MiB or more: each hour the oldest of jobs that are over go as long as it \
             is more. Whatever this says, logs leave a sixteenth of the disk free, up to 1 GiB."
        ),
        key!(
            jobs.retention_days,
            value::Whole<u32>,
            |days| within(u64::from(*days), 7, 3_650),
            "Days that jobs which are over, and their logs, are kept, 7 to 3650. What their programs answered is kept for 30 of \
             them at most; versions and evaluations are the registry's, and stay."
        ),
    ]
}

fn between(time: &Duration, least: u64, most: u64) -> Result<(), String> {
    let fits = (Duration::from_secs(least)..=Duration::from_secs(most)).contains(time);
    if fits { Ok(()) } else { Err(format!("must be from {least}s to {most}s")) }
}
