use std::time::Duration;

use super::change::Who;
use super::clocks::Due;
use super::{JobError, Jobs};
use crate::domain::job::{Failure, FailureKind, JobId, JobState};
use crate::domain::time::Micros;

impl Jobs {
    /// Time passes, `elapsed` of it while the daemon was running. What a worker was silent about for too long is lost; what
    /// is lost for so long that none of its processes can be alive is tried again, or was called off.
    pub fn tick(&self, elapsed: Duration, now: Micros) -> Result<(), JobError> {
        let last = self.store.job_counts()?.last;
        let (due, wake) = {
            let mut clocks = self.clocks()?;
            let (due, ended) = clocks.tick(elapsed, self.config.lease(), self.config.fence);
            // Whoever made a job in a transaction of their own may have died before they could tell.
            let made = std::mem::replace(&mut clocks.newest, last) != last;
            (due, ended || made)
        };
        for due in due {
            match due {
                Due::Lose(job, epoch) => self.lose(job, epoch, now)?,
                Due::Release(job, epoch) => self.release(job, epoch, now)?,
            }
        }
        if wake {
            self.work.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    fn lose(&self, id: JobId, epoch: u64, now: Micros) -> Result<(), JobError> {
        self.change(id, Who::Other, |_, job| {
            // It may have been heard of since the clock was looked at.
            if job.held_under(epoch).is_ok() && job.state != JobState::Lost {
                job.lose(now)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn release(&self, id: JobId, epoch: u64, now: Micros) -> Result<(), JobError> {
        let why = Failure {
            kind: FailureKind::Infrastructure,
            why: "its worker was lost, and has ended its processes by now".to_owned(),
        };
        self.change(id, Who::Other, |_, job| {
            if job.held_under(epoch).is_ok() && job.state == JobState::Lost {
                job.release(epoch, why, self.config.patience(), now)?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
