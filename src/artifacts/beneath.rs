use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use super::{ArtifactError, Directory};
use crate::config::DEFAULT_FILE;
use crate::domain::model::{ArtifactFile, ArtifactPath, ArtifactState, Artifacts, Digest, Keeping};

/// What the machine tells of itself. The configuration allows none of it, whatever it names.
const MACHINE: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What is said of those and of our own directories.
const FORBIDDEN: &str = "nothing is registered in the data file's directory, in the configuration's, in /proc, /sys or \
                         /dev; name a directory of your own";

/// A file that is to be registered in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its path in the directory.
    pub path: ArtifactPath,
    /// Its digest, where whoever registers it knows it.
    pub sha256: Option<Digest>,
}

impl Directory {
    /// The manifest of files that stay where they are, in `directory`: each is read once, and compared with the digest
    /// that it is said to have.
    pub fn register_in_place(&self, directory: &Path, files: &[Registered]) -> Result<Artifacts, ArtifactError> {
        let refused = |why: &str| ArtifactError::Directory { path: directory.to_owned(), why: why.to_owned() };
        if !directory.is_absolute() {
            return Err(refused("name the directory by its whole path, from /"));
        }
        let real = directory.canonicalize().map_err(|error| refused(&error.to_string()))?;
        let text = real.to_str().ok_or_else(|| refused("its name is not UTF-8"))?.to_owned();
        self.may_stay_in(&real).map_err(|why| refused(&why))?;
        let forbidden = self.forbidden();
        let mut manifest = Artifacts::kept();
        for file in files {
            // The directory may be one above those that are forbidden. No link leads elsewhere: the path is where it is.
            if forbidden.iter().any(|forbidden| within(&real, &file.path).starts_with(forbidden)) {
                let path = file.path.clone();
                return Err(ArtifactError::Unusable { directory: real, path, why: FORBIDDEN });
            }
            let sha256 = self.read_in_place(&real, file)?;
            // One by one as if taken in, so that the rules of a manifest hold.
            manifest
                .add(sha256, self.limits.max_version)
                .map_err(|error| ArtifactError::Directory { path: real.clone(), why: error.to_string() })?;
        }
        if manifest.files.is_empty() {
            return Err(refused("name at least one file in it"));
        }
        Ok(Artifacts { keeping: Keeping::InPlace(text), state: ArtifactState::Sound, files: manifest.files })
    }

    /// Whoever may look at a model may download its files, and the daemon reads more than they may: so the configuration
    /// names the directories. Both are compared by where they really are.
    fn may_stay_in(&self, real: &Path) -> Result<(), String> {
        if self.forbidden().iter().any(|forbidden| real.starts_with(forbidden)) {
            return Err(FORBIDDEN.to_owned());
        }
        let allowed = &self.limits.in_place;
        if allowed.is_empty() {
            return Err("the configuration lets no file stay where it is: set artifacts.in_place to a list of the \
                 directories that may be used, or upload the files"
                .to_owned());
        }
        if !allowed.iter().filter_map(|allowed| allowed.canonicalize().ok()).any(|allowed| real.starts_with(allowed)) {
            return Err("it is not in a directory of artifacts.in_place: add it there, or upload the files".to_owned());
        }
        Ok(())
    }

    /// The data file's directory, that of the configuration with its secrets, and what is no file but looks like one.
    fn forbidden(&self) -> Vec<PathBuf> {
        let configuration = Path::new(DEFAULT_FILE).parent().map(Path::to_owned);
        let own = [Some(self.layout.base.clone()), configuration];
        let forbidden = own.into_iter().flatten().chain(MACHINE.map(PathBuf::from));
        forbidden.map(|path| path.canonicalize().unwrap_or(path)).collect()
    }

    fn read_in_place(&self, directory: &Path, file: &Registered) -> Result<ArtifactFile, ArtifactError> {
        let path = &file.path;
        let opened = open(directory, path).map_err(|errno| unusable(directory, path, errno))?;
        let limit = self.limits.max_file;
        let fits = |size| if size > limit { Err(ArtifactError::TooLarge { limit }) } else { Ok(size) };
        let length = opened.metadata().map_err(ArtifactError::io("look at", within(directory, path)))?.len();
        fits(length)?;
        // It may grow while it is read.
        let (size, found) =
            super::check::digest(&opened, limit).map_err(ArtifactError::io("read", within(directory, path)))?;
        if fits(size)? == 0 {
            return Err(ArtifactError::Empty);
        }
        match file.sha256 {
            Some(expected) if expected != found => Err(ArtifactError::Digest { expected, found }),
            _ => Ok(ArtifactFile { path: path.clone(), size, sha256: found }),
        }
    }
}

/// Opens a regular file beneath `directory`. No name on the way may be a symbolic link, so it cannot lead out; the way is
/// gone name by name, which every kernel and every container allows, as they do not with `openat2`.
pub(super) fn open(directory: &Path, path: &ArtifactPath) -> Result<File, Errno> {
    let step = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut at: OwnedFd = openat(CWD, directory, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
    let mut names = path.names().map(OsStr::new).peekable();
    while let Some(name) = names.next() {
        // The last without waiting: a pipe would have us wait for whoever writes to it.
        let flags = if names.peek().is_some() { step | OFlags::DIRECTORY } else { step | OFlags::NONBLOCK };
        at = openat(&at, name, flags, Mode::empty())?;
    }
    if FileType::from_raw_mode(fstat(&at)?.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    Ok(File::from(at))
}

/// What an operator is told of a file that [`open`] does not open.
pub(super) fn unusable(directory: &Path, path: &ArtifactPath, errno: Errno) -> ArtifactError {
    let why = match errno {
        // With O_DIRECTORY, Linux says ENOTDIR of a symbolic link.
        Errno::LOOP => "it is a symbolic link, which could lead anywhere: name the file itself",
        Errno::NOTDIR => "a part of its path is no directory, or a symbolic link, which could lead anywhere",
        Errno::INVAL | Errno::NXIO => "it is no regular file",
        Errno::NOENT => "there is no such file",
        Errno::ACCESS => "the daemon may not read it: give its user or group the right to",
        errno => return ArtifactError::io("open", within(directory, path))(errno.into()),
    };
    ArtifactError::Unusable { directory: directory.to_owned(), path: path.clone(), why }
}

fn within(directory: &Path, path: &ArtifactPath) -> PathBuf {
    directory.join(path.as_str())
}
