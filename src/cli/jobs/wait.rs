use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{path, remark, step};
use crate::app::answers::jobs::JobDetail;
use crate::cli::ask::{Daemon, is_away};
use crate::cli::{Global, output};
use crate::domain::job::{JobId, JobState};

/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// How long a daemon may be away, as it is for its restart.
const AWAY: Duration = Duration::from_secs(60);

/// Waits for the end of a job: 0 where it is completed, 1 where it is not. What happens is told on the way.
pub(super) fn until_over(daemon: &Daemon, id: JobId, global: &Global) -> anyhow::Result<ExitCode> {
    let mut told = String::new();
    loop {
        let detail = patiently(|| daemon.get::<JobDetail>(&path(id), &()))?;
        let job = &detail.job;
        if job.state.is_over() {
            if global.json {
                output::json(&detail)?;
            } else {
                output::print(line(id, job.state, &remark(job)).as_bytes())?;
            }
            let completed = job.state == JobState::Completed;
            return Ok(if completed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        // Shares and messages move all the time; a line is for a step or for another reason to wait.
        let now = match job.state {
            JobState::Pending => line(id, job.state, &remark(job)),
            state => line(id, state, step(job).split(',').next().unwrap_or_default()),
        };
        if !global.json && now != told {
            output::print(now.as_bytes())?;
            told = now;
        }
        sleep(LOOK);
    }
}

fn line(id: JobId, state: JobState, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!("{}\n", output::visible(&format!("{id} is {state}{more}")))
}

/// Asks again while the daemon is away for a moment.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut since = None;
    loop {
        match ask() {
            Err(error) if is_away(&error) && since.get_or_insert_with(Instant::now).elapsed() < AWAY => sleep(LOOK),
            asked => return asked,
        }
    }
}
