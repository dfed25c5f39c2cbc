//! Files that are on the disk when a step says so, and their digests.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::BackupError;
use crate::domain::model::Digest;

/// Backups hold password hashes and trading decisions: they are their owner's alone.
pub(super) const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// What is read at once.
const CHUNK: usize = 256 << 10;

/// Makes `directory` and those above it where they are missing.
pub(super) fn make_directory(directory: &Path) -> Result<(), BackupError> {
    if directory.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    made.map_err(BackupError::io("make", directory))?;
    directory.parent().map_or(Ok(()), sync_directory)
}

/// Has the disk keep the names in `directory`.
pub(super) fn sync_directory(directory: &Path) -> Result<(), BackupError> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(BackupError::io("write the directory", directory))
}

/// A new file that only its owner may read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Where large files go that nobody keeps: not /tmp, which may be in memory.
pub(crate) fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// A new file in `directory` that is gone as soon as nobody has it open.
pub(super) fn nameless(directory: &Path) -> io::Result<File> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = directory.join(format!(".quantum-clm-{}", crate::domain::account::hex(&random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Writes a whole file that is on the disk when this returns.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), BackupError> {
    let written = create(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(BackupError::io("write", path))
}

/// Removes what may be gone already, a file or a directory with all that is in it.
pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Size and SHA-256 of a file's content.
pub(super) fn digest(path: &Path) -> io::Result<(u64, Digest)> {
    let mut sink = Hashing::new(io::sink());
    copy(&mut File::open(path)?, &mut sink)?;
    Ok(sink.finish())
}

/// Copies all of `from`, in pieces that cost no memory.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&chunk[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A reader or writer that knows what went through it.
pub(super) struct Hashing<T> {
    through: T,
    size: u64,
    hash: Sha256,
    /// The error that it failed with: whoever reads or writes in between may tell it as something else.
    pub(super) failed: Option<io::Error>,
}

impl<T> Hashing<T> {
    pub(super) fn new(through: T) -> Self {
        Self { through, size: 0, hash: Sha256::new(), failed: None }
    }

    /// What it goes through to.
    #[cfg(test)]
    pub(super) fn through(&self) -> &T {
        &self.through
    }

    /// Size and SHA-256 of what went through.
    pub(super) fn finish(self) -> (u64, Digest) {
        (self.size, Digest(self.hash.finalize().into()))
    }

    fn note(&mut self, error: io::Error) -> io::Error {
        let told = io::Error::from(error.kind());
        if error.kind() != io::ErrorKind::Interrupted {
            self.failed = Some(error);
        }
        told
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.through.read(out).map_err(|error| self.note(error))?;
        self.size += count as u64;
        self.hash.update(&out[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.through.write(bytes).map_err(|error| self.note(error))?;
        self.size += count as u64;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.through.flush().map_err(|error| self.note(error))
    }
}
