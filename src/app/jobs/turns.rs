use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::job::JobId;

/// One at a time for each job: a worker that asks again while the daemon still registers its version waits for that.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<JobId, Arc<Mutex<()>>>>);

impl Turns {
    /// Does `work` when nobody else is at this job. A panic of whoever was before does not keep others out: what was half
    /// done is in the journal.
    pub(super) fn take<T>(&self, job: JobId, work: impl FnOnce() -> T) -> T {
        let turn = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(job).or_default().clone();
        let done = {
            let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
            work()
        };
        drop(turn);
        // Whoever waits has a share of it; with the map's own that makes two.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, turn| Arc::strong_count(turn) > 1);
        done
    }
}
