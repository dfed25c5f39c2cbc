use std::path::{Path, PathBuf};

use super::{JobError, Jobs};
use crate::domain::job::JobId;
use crate::domain::time::Micros;

/// Days that what programs answered is kept: the registry has what counts of it.
const RESULT_DAYS: u32 = 30;

impl Jobs {
    /// Removes jobs that are past their time, with their logs. How many.
    pub fn trim(&self, now: Micros) -> Result<usize, JobError> {
        let days = self.config.retention_days;
        let old = |days: u32| now.minus(u64::from(days) * Micros::DAY);
        let (before, results_before) = (old(days), old(days.min(RESULT_DAYS)));
        let mut next = Some(JobId(0));
        let mut removed = 0;
        while let Some(from) = next {
            let trimmed = self.store.trim_jobs(before, results_before, from)?;
            removed += trimmed.jobs.len();
            for job in &trimmed.jobs {
                remove_log(&self.log_directory(*job));
                self.tell(*job);
            }
            next = trimmed.next;
        }
        Ok(removed)
    }

    /// Where the logs of a job are, one directory for each lease: beside the data file.
    pub fn log_directory(&self, job: JobId) -> PathBuf {
        log_directory(self.store.path(), job)
    }
}

/// Where the logs of a job are, beside the data file.
pub fn log_directory(data_file: &Path, job: JobId) -> PathBuf {
    data_file.parent().unwrap_or(Path::new(".")).join("logs").join(job.to_string())
}

fn remove_log(directory: &Path) {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(directory = %directory.display(), "cannot remove the log of a job that is kept no longer: {error}");
        }
        _ => {}
    }
}
