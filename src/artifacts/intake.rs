use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::{fs, io};

use sha2::{Digest as _, Sha256};

use super::partial::Claim;
use super::{ArtifactError, Directory, LEAVE_BYTES, is_full, layout};
use crate::domain::model::Digest;

/// Whoever writes it may still change it; nobody may once it is kept.
const WRITING_MODE: u32 = 0o640;
const KEPT_MODE: u32 = 0o440;

/// How much is written until the disk has to have it, and the room is looked at again: so that the last sync is short,
/// and the rest of the machine keeps its page cache.
const SYNC_BYTES: u64 = 16 << 20;

/// A file that is being taken in: hashed while it is written. Dropped before its end, nothing of it is left, unless it is
/// an upload that can be gone on with.
pub struct Intake<'a> {
    directory: &'a Directory,
    file: File,
    waste: Waste,
    hash: Sha256,
    size: u64,
    unsynced: u64,
    /// Dropped last: who goes on with it finds what there is.
    claim: Option<Claim>,
}

/// A whole file that waits for its place. Dropped, nothing of it is left.
pub struct Taken {
    waste: Waste,
    /// Its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// A path in `incoming` that goes with its owner, unless it is kept.
pub(super) struct Waste {
    path: PathBuf,
    kept: bool,
}

impl Waste {
    fn new(path: PathBuf) -> Self {
        Self { path, kept: false }
    }

    /// One that stays where nothing is said against it.
    pub(super) fn kept(path: PathBuf) -> Self {
        Self { path, kept: true }
    }
}

impl Drop for Waste {
    fn drop(&mut self) {
        if !self.kept {
            // Where this fails the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Directory {
    /// Begins to take in a file, of `size` bytes where that is known.
    pub fn take_in(&self, size: Option<u64>) -> Result<Intake<'_>, ArtifactError> {
        if size.is_some_and(|size| size > self.limits.max_file) {
            return Err(ArtifactError::TooLarge { limit: self.limits.max_file });
        }
        let incoming = self.layout.incoming();
        self.make_room(size.unwrap_or(0)).map_err(|error| self.said_full(error))?;
        layout::make(&incoming).map_err(|error| self.said_full(error))?;
        let path = incoming.join(layout::random()?);
        let opened = OpenOptions::new().write(true).create_new(true).mode(WRITING_MODE).open(&path);
        let file = opened.map_err(|error| self.said_full(ArtifactError::io("make", &path)(error)))?;
        Ok(Intake::begun(self, file, Waste::new(path), Sha256::new(), 0, None))
    }

    /// Gives a file its place and has `commit` commit what names it. Without that commit the file goes again.
    pub fn keep<T, E: From<ArtifactError>>(&self, taken: Taken, commit: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let digest = taken.digest;
        let (made, result) = {
            let _keeping = self.keeping.read().unwrap_or_else(PoisonError::into_inner);
            let made = self.place(&taken).map_err(|error| self.said_full(error))?;
            crate::failpoint!("artifacts.placed");
            (made, commit())
        };
        if made && result.is_err() {
            self.remove_unused(&digest)?;
        }
        // Until here a crash leaves the name in `incoming`, from which the next start knows what to look after.
        drop(taken);
        result
    }

    /// Whether the file is new in its place, where nothing is ever half there.
    fn place(&self, taken: &Taken) -> Result<bool, ArtifactError> {
        let from = &taken.waste.path;
        let to = self.layout.content(&taken.digest);
        let shelf = to.parent().unwrap_or(Path::new("."));
        layout::make(shelf)?;
        let made = match fs::hard_link(from, &to) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // The same content, unless what is there was damaged: then it is whole again, for everybody who uses it.
                fs::rename(from, &to).map_err(ArtifactError::io("move a file to", &to))?;
                false
            }
            Err(error) => return Err(ArtifactError::io("move a file to", &to)(error)),
        };
        layout::sync(shelf)?;
        Ok(made)
    }

    /// Refuses what would not fit.
    pub(super) fn require_room(&self, size: u64) -> Result<(), ArtifactError> {
        // Where the disk does not tell, the write itself will.
        let Some(free) = self.free() else { return Ok(()) };
        let needed = size.saturating_add(LEAVE_BYTES);
        if free >= needed { Ok(()) } else { Err(ArtifactError::Full { path: self.layout.root(), free, needed }) }
    }

    pub(super) fn free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.layout.base).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The same error, in the words for a full disk where it is one.
    pub(super) fn said_full(&self, error: ArtifactError) -> ArtifactError {
        match error {
            ArtifactError::Io { source, .. } if is_full(&source) => {
                ArtifactError::Full { path: self.layout.root(), free: self.free().unwrap_or(0), needed: LEAVE_BYTES }
            }
            error => error,
        }
    }
}

impl<'a> Intake<'a> {
    /// One of which the first `size` bytes are written and hashed.
    pub(super) fn begun(
        directory: &'a Directory,
        file: File,
        waste: Waste,
        hash: Sha256,
        size: u64,
        claim: Option<Claim>,
    ) -> Self {
        Self { directory, file, waste, hash, size, unsynced: 0, claim }
    }

    /// The next bytes. Where they cannot be kept, neither is what came before.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArtifactError> {
        let written = self.try_write(bytes);
        if written.is_err() {
            self.waste.kept = false;
        }
        written
    }

    fn try_write(&mut self, bytes: &[u8]) -> Result<(), ArtifactError> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        let limit = self.directory.limits.max_file;
        if self.size > limit {
            return Err(ArtifactError::TooLarge { limit });
        }
        let (directory, path) = (self.directory, &self.waste.path);
        let full = |error| directory.said_full(ArtifactError::io("write", path)(error));
        self.file.write_all(bytes).map_err(full)?;
        self.hash.update(bytes);
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.file.sync_data().map_err(full)?;
            self.unsynced = 0;
            directory.make_room(0)?;
        }
        Ok(())
    }

    /// No more comes for now: what there is waits for the rest. How much that is.
    pub fn pause(self) -> Result<u64, ArtifactError> {
        let path = &self.waste.path;
        self.file.sync_all().map_err(|error| self.directory.said_full(ArtifactError::io("write", path)(error)))?;
        layout::sync(&self.directory.layout.incoming())?;
        Ok(self.size)
    }

    /// The file is whole. `expected` is what it was announced as.
    pub fn finish(mut self, expected: Option<Digest>) -> Result<Taken, ArtifactError> {
        if self.size == 0 {
            self.waste.kept = false;
            return Err(ArtifactError::Empty);
        }
        self.finish_any(expected)
    }

    /// The same for what is imported, which may be empty.
    pub fn finish_any(self, expected: Option<Digest>) -> Result<Taken, ArtifactError> {
        let Self { directory, file, mut waste, hash, size, claim: _claim, .. } = self;
        // What is wrong is wrong for good, also what was gone on with.
        waste.kept = false;
        let digest = Digest(hash.finalize().into());
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(ArtifactError::Digest { expected, found: digest });
        }
        let path = waste.path.clone();
        let done = |error| directory.said_full(ArtifactError::io("write", &path)(error));
        file.set_permissions(Permissions::from_mode(KEPT_MODE)).and_then(|()| file.sync_all()).map_err(done)?;
        // Under a name of its own: who begins the same upload anew gets another file.
        let named = waste.path.with_file_name(format!("{}.{digest}", layout::random()?));
        fs::rename(&waste.path, &named).map_err(done)?;
        waste.path = named;
        layout::sync(&directory.layout.incoming())?;
        Ok(Taken { waste, digest, size })
    }
}
