use super::clocks::WorkerSeen;
use super::{JobError, Jobs};
use crate::domain::job::{JobId, Waiting};

/// A job that waits, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Which.
    pub job: JobId,
    /// What for.
    pub why: Waiting,
}

impl Jobs {
    /// The queue: what goes first is first.
    pub fn queue(&self) -> Result<Vec<Waits>, JobError> {
        let open = self.store.open_jobs()?;
        let here: Vec<_> = self.clocks()?.workers().filter(|worker| worker.is_here()).map(WorkerSeen::asking).collect();
        let (order, mut waiting) = self.with_queue(&open, |queue| (queue.order(), queue.waiting(&here)))?;
        Ok(order.into_iter().filter_map(|job| Some(Waits { job, why: waiting.remove(&job)? })).collect())
    }
}
