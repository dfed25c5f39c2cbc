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
            trimmed.jobs.iter().for_each(|job| self.tell(*job));
            next = trimmed.next;
        }
        self.sweep_logs()?;
        self.shrink_logs()?;
        Ok(removed)
    }

    /// Removes the oldest logs of jobs that are over, as long as all of them together are larger than they may be.
    fn shrink_logs(&self) -> Result<(), JobError> {
        let Ok(entries) = std::fs::read_dir(self.logs_directory()) else { return Ok(()) };
        let job = |entry: &std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<JobId>().ok());
        let mut logs: Vec<_> = entries
            .flatten()
            .filter_map(|entry| Some((job(&entry)?, entry.path())))
            .map(|(job, path)| (job, size(&path), path))
            .collect();
        logs.sort_unstable_by_key(|(job, ..)| *job);
        let mut all: u64 = logs.iter().map(|(_, bytes, _)| bytes).sum();
        for (job, bytes, path) in logs {
            if all <= self.config.logs_bytes {
                break;
            }
            if self.store.job(job)?.is_none_or(|job| job.state.is_over()) {
                tracing::info!(%job, bytes, "its log is removed: all together are larger than jobs.logs_bytes");
                remove_log(&path);
                all -= bytes;
            }
        }
        Ok(())
    }

    /// Removes the logs of jobs that are kept no longer: of those that have just gone, and of those over which an earlier
    /// daemon died.
    fn sweep_logs(&self) -> Result<(), JobError> {
        let Ok(entries) = std::fs::read_dir(self.logs_directory()) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(Ok(job)) = name.to_str().map(str::parse::<JobId>) else { continue };
            if self.store.job(job)?.is_none() {
                remove_log(&entry.path());
            }
        }
        Ok(())
    }

    /// Where the logs of a job are, one directory for each lease: beside the data file.
    pub fn log_directory(&self, job: JobId) -> PathBuf {
        log_directory(self.store.path(), job)
    }

    fn logs_directory(&self) -> PathBuf {
        logs_directory(self.store.path())
    }
}

/// Where the logs of a job are, beside the data file.
pub fn log_directory(data_file: &Path, job: JobId) -> PathBuf {
    logs_directory(data_file).join(job.to_string())
}

fn logs_directory(data_file: &Path) -> PathBuf {
    data_file.parent().unwrap_or(Path::new(".")).join("logs")
}

/// Bytes of the files below a directory, as far as they can be seen.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

fn remove_log(directory: &Path) {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(directory = %directory.display(), "cannot remove the log of a job that is kept no longer: {error}");
        }
        _ => {}
    }
}
