use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::{Level, Seconds};
use crate::domain::backup::Attempt;
use crate::domain::time::Micros;

/// Figures of backups.
#[derive(Clone, Debug)]
pub struct BackupMetrics {
    /// Backups that came to nothing.
    pub failures: Counter,
    /// Copies elsewhere that came to nothing.
    pub copy_failures: Counter,
    /// Whole backups that are there.
    pub kept: Level,
    /// Files of models that the newest one lacks.
    pub lacking: Level,
    last_success: Seconds,
    last_copy: Seconds,
    duration: Seconds,
    bytes: Level,
}

impl BackupMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            failures: Counter::default(),
            copy_failures: Counter::default(),
            kept: Level::default(),
            lacking: Level::default(),
            last_success: Seconds::default(),
            last_copy: Seconds::default(),
            duration: Seconds::default(),
            bytes: Level::default(),
        };
        registry.register("backup_failures", "Backups that came to nothing", metrics.failures.clone());
        let about = "Copies of backups elsewhere that came to nothing";
        registry.register("backup_copy_failures", about, metrics.copy_failures.clone());
        registry.register("backups_kept", "Whole backups in the directory of backups", metrics.kept.clone());
        let about = "Files of models that the newest whole backup lacks, because they could not be read";
        registry.register("backup_lacking_files", about, metrics.lacking.clone());
        let about = "When the snapshot of the newest whole backup was taken, since the epoch; 0 where there is none";
        registry.register("backup_last_success_timestamp_seconds", about, metrics.last_success.clone());
        let about = "When a backup was last copied elsewhere, since the epoch; 0 where none was";
        registry.register("backup_copy_last_success_timestamp_seconds", about, metrics.last_copy.clone());
        let about = "How long the newest backup took, with its verification";
        registry.register("backup_duration_seconds", about, metrics.duration.clone());
        registry.register("backup_bytes", "Size of the newest backup's data file, as stored", metrics.bytes.clone());
        metrics
    }

    /// A backup was made.
    pub fn made(&self, attempt: &Attempt) {
        self.bytes.set(attempt.bytes);
        if let (Some(begun), Some(ended)) = (attempt.begun_at, attempt.ended_at) {
            self.duration.set(seconds(Micros(ended.0.saturating_sub(begun.0))));
        }
    }

    /// Which is the newest that is there.
    pub fn newest(&self, taken_at: Option<Micros>) {
        self.last_success.set(taken_at.map_or(0.0, seconds));
    }

    /// One was copied elsewhere.
    pub fn copied(&self, at: Micros) {
        self.last_copy.set(seconds(at));
    }
}

#[allow(clippy::cast_precision_loss, reason = "53 bits of microseconds reach to the year 2255")]
fn seconds(at: Micros) -> f64 {
    at.0 as f64 / 1e6
}
