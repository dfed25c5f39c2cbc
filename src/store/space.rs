use std::io;
use std::path::{Path, PathBuf};

use super::{RESERVE_BYTES, StoreError};

/// Bytes free to us on the disk of `path`.
pub(crate) fn free(path: &Path) -> io::Result<u64> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(directory)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Refuses when a commit would eat into the reserve. Where the disk does not tell, the commit itself will.
pub(crate) fn require(path: &Path) -> Result<(), StoreError> {
    match free(path) {
        Ok(free) if free < RESERVE_BYTES => Err(StoreError::Full { path: PathBuf::from(path), free }),
        _ => Ok(()),
    }
}

/// The error of a commit that met a full disk.
pub(crate) fn full(path: &Path) -> StoreError {
    StoreError::Full { path: PathBuf::from(path), free: free(path).unwrap_or(0) }
}

/// Whether redb met a full disk or an exhausted quota.
pub(crate) fn is_full(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(error)
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge))
}
