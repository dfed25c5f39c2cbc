use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::{ArtifactError, Directory, beneath};
use crate::domain::model::{ArtifactFile, Artifacts, Keeping};

/// A file's content, open for reading.
pub struct Content {
    file: File,
    /// Bytes.
    pub size: u64,
}

impl Content {
    /// The content of a file that is open.
    pub fn of(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// Bytes from `offset` on, at most `most`; none at the end.
    pub fn read_at(&self, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        loop {
            match self.file.read_at(&mut bytes, offset) {
                Ok(read) => {
                    bytes.truncate(read);
                    return Ok(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Directory {
    /// Opens a file of a version. One that has not the size that it had is not handed out under its digest.
    pub fn open(&self, artifacts: &Artifacts, file: &ArtifactFile) -> Result<Content, ArtifactError> {
        let (path, size) = (&file.path, file.size);
        let opened = self.open_raw(&artifacts.keeping, file).map_err(|errno| match (errno, &artifacts.keeping) {
            (Errno::NOENT, _) => ArtifactError::Missing { path: path.clone() },
            (errno, Keeping::InPlace(directory)) => beneath::unusable(Path::new(directory), path, errno),
            (errno, Keeping::Kept) => ArtifactError::io("open", self.layout.content(&file.sha256))(errno.into()),
        })?;
        let found = opened.metadata().map_err(ArtifactError::io("look at", path.as_str()))?.len();
        if found != size {
            return Err(ArtifactError::Damaged { path: path.clone(), size, found });
        }
        Ok(Content { file: opened, size })
    }

    /// The first file of a version that is not there with the size that it had. Nothing is read.
    pub fn lacks(&self, artifacts: &Artifacts) -> Option<ArtifactError> {
        artifacts.files.iter().find_map(|file| self.open(artifacts, file).err())
    }

    pub(super) fn open_raw(&self, keeping: &Keeping, file: &ArtifactFile) -> Result<File, Errno> {
        match keeping {
            Keeping::InPlace(directory) => beneath::open(Path::new(directory), &file.path),
            Keeping::Kept => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                Ok(openat(CWD, self.layout.content(&file.sha256), flags, Mode::empty())?.into())
            }
        }
    }
}
