//! Directories of jobs that this worker has no more: kept for a retry and for people who look, within bounds. Blocking.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::place::{JobPlace, Place};
use crate::domain::job::JobId;

/// How long what is left of a job is kept.
const AGE: Duration = Duration::from_secs(7 * 86_400);

/// Of how many jobs.
const MOST: usize = 50;

/// The oldest go while less than this is free, as a share of the disk.
const FREE: u64 = 10;

/// Removes what is too old or too much. `held` says which jobs this worker has: they stay.
pub(super) fn sweep(place: &Place, held: impl Fn(JobId) -> bool) -> io::Result<()> {
    let now = SystemTime::now();
    let mut left = Vec::new();
    for job in place.jobs()?.into_iter().filter(|job| !held(job.root)) {
        // A task that cannot be read is one: somebody should look at it.
        if matches!(job.task(), Ok(None)) {
            left.push((fs::metadata(job.path())?.modified()?, job));
        }
    }
    left.sort_by_key(|(modified, _)| *modified);
    let mut count = left.len();
    for (modified, job) in left {
        // A clock that was set back keeps it for longer.
        let is_old = now.duration_since(modified).is_ok_and(|age| age > AGE);
        if is_old || count > MOST || is_scarce(place.path())? {
            remove(&job);
            count -= 1;
        }
    }
    Ok(())
}

fn remove(job: &JobPlace) {
    match job.remove() {
        Ok(()) => tracing::info!(job = %job.root, "what was left of it here was removed"),
        Err(error) => tracing::warn!(job = %job.root, "what is left of it here cannot be removed: {error}"),
    }
}

fn is_scarce(path: &Path) -> io::Result<bool> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail < disk.f_blocks / FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stays_and_what_is_too_much_goes() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        let jobs = MOST as u64 + 5;
        for number in 1..=jobs {
            fs::create_dir(place.job(JobId(number)).path()).unwrap();
        }
        let old = fs::File::open(place.job(JobId(7)).path()).unwrap();
        old.set_modified(SystemTime::now() - AGE - Duration::from_secs(60)).unwrap();
        sweep(&place, |job| job.0 == 1).unwrap();
        let left = place.jobs().unwrap();
        assert!(left.len() <= MOST + 1 && left[0].root == JobId(1), "{left:?}");
        assert!(!left.iter().any(|job| job.root == JobId(7)), "{left:?}");
    }
}
