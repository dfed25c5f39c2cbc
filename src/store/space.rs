use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::StoreError;

/// Free space that a commit leaves on the disk: the file must be able to grow and to be repaired.
pub const RESERVE_BYTES: u64 = 16 << 20;

/// What is left even by a commit that needs no room to speak of: one that removes, or whose room is within the file.
const LEAST_BYTES: u64 = 4 << 20;

/// What a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It adds.
    Adds,
    /// It removes, which is what makes room on a disk that the data file itself has filled.
    Removes,
}

/// The room for a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes free to us on the disk.
    pub free: u64,
    /// Bytes of the file that hold nothing any more and are written again before it grows; a careful estimate.
    pub inside: u64,
}

impl Room {
    /// Whether events can be stored.
    pub fn is_enough(self) -> bool {
        self.lacks(Purpose::Adds).is_none()
    }

    /// How much would have to be free, if it is not.
    fn lacks(self, purpose: Purpose) -> Option<u64> {
        let needed = match purpose {
            Purpose::Adds if self.inside < RESERVE_BYTES => RESERVE_BYTES,
            Purpose::Adds | Purpose::Removes => LEAST_BYTES,
        };
        (self.free < needed).then_some(needed)
    }
}

/// The room for the file at `path`, in which the blocks of events take `used` bytes.
pub(super) fn room(path: &Path, used: u64) -> io::Result<Room> {
    let free = free(path)?;
    // What the disk gave the file: it is sparse where nothing was written yet, and that is not ours before we write.
    let given = std::fs::metadata(path)?.blocks() * 512;
    // Pages are not full to the last byte, and some hold something else than blocks.
    let inside = given.saturating_sub(used + used / 4 + (8 << 20));
    Ok(Room { free, inside })
}

/// Bytes free to us on the disk of `path`.
pub(crate) fn free(path: &Path) -> io::Result<u64> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(directory)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Refuses a commit for which there is no room. Where the disk does not tell, the commit itself will.
pub(super) fn require(path: &Path, used: u64, purpose: Purpose) -> Result<(), StoreError> {
    let Ok(room) = room(path, used) else { return Ok(()) };
    match room.lacks(purpose) {
        Some(needed) => Err(StoreError::Full { path: path.to_owned(), free: room.free, needed }),
        None => Ok(()),
    }
}

/// The error of a commit that met a full disk.
pub(super) fn full(path: &Path) -> StoreError {
    StoreError::Full { path: path.to_owned(), free: free(path).unwrap_or(0), needed: RESERVE_BYTES }
}

/// Whether redb met a full disk or an exhausted quota.
pub(crate) fn is_full(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(error)
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_written_when() {
        const MIB: u64 = 1 << 20;
        for (free, inside, adds, removes) in [
            (16 * MIB, 0, true, true),
            (16 * MIB - 1, 0, false, true),
            (16 * MIB - 1, 16 * MIB, true, true),
            (4 * MIB, 16 * MIB, true, true),
            (4 * MIB, 16 * MIB - 1, false, true),
            (4 * MIB - 1, 1 << 40, false, false),
        ] {
            let room = Room { free, inside };
            let may = |purpose| room.lacks(purpose).is_none();
            assert_eq!((may(Purpose::Adds), may(Purpose::Removes)), (adds, removes), "{room:?}");
        }
    }
}
