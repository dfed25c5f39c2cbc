//! A directory that is held by its handle instead of by its name.
//!
//! Root restores into the directory of the daemon's user, who may change every name in it at any moment. So a name is never
//! trusted twice: the directory is opened once, its files are reached through the handle, and no symbolic link on a way is
//! followed unless it is root's or our own.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat, statat};
use rustix::io::Errno;

/// As many links as Linux follows on one way.
const MOST_LINKS: usize = 40;

/// An open directory.
#[derive(Debug)]
pub(crate) struct HeldDirectory {
    handle: File,
    shown: PathBuf,
}

impl HeldDirectory {
    /// Opens the directory at `path`, name by name.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::walk(openat(CWD, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?, path)
    }

    /// Opens a directory beneath this one, by a path that has plain names only.
    pub(crate) fn below(&self, path: &Path) -> io::Result<Self> {
        let start = openat(&self.handle, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Self::walk(start, path)
    }

    fn walk(mut at: OwnedFd, path: &Path) -> io::Result<Self> {
        const STEP: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
        let mut names: VecDeque<OsString> = names(path).collect();
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            let next = openat(&at, &name, STEP, Mode::empty())?;
            let is = fstat(&next)?;
            if FileType::from_raw_mode(is.st_mode) != FileType::Symlink {
                at = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = target_of(&next, "", &is)?;
            for name in self::names(&target).rev() {
                names.push_front(name);
            }
        }
        let handle = File::from(openat(&at, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?);
        let shown = fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
        Ok(Self { handle, shown })
    }

    /// Where it was when it was opened: for people.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    /// A path through the handle, which leads to this directory for as long as it is held, whatever its name is by then;
    /// for child processes as well.
    pub(crate) fn through(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.handle.as_raw_fd()))
    }

    /// The path of a name in it.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.through().join(name)
    }

    /// The handle, to be locked.
    pub(crate) fn handle(&self) -> &File {
        &self.handle
    }

    /// What it is itself.
    pub(crate) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.handle.metadata()
    }

    /// Where a name in it leads, if it is a link that may be followed; `None` for everything else, also for nothing.
    pub(crate) fn link(&self, name: &OsStr) -> io::Result<Option<PathBuf>> {
        match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(is) if FileType::from_raw_mode(is.st_mode) == FileType::Symlink => {
                target_of(&self.handle, name, &is).map(Some)
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens what a name in it is, which must be a regular file and no link; a pipe is not waited for.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.handle, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::INVAL.into()) }
    }

    /// Makes a directory in it that is ours alone, and opens it.
    pub(crate) fn make(&self, name: &str) -> io::Result<Self> {
        mkdirat(&self.handle, name, Mode::RWXU)?;
        self.ours(name)
    }

    /// Opens a directory in it that is ours alone.
    pub(crate) fn ours(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(not_ours()),
            Err(errno) => return Err(errno.into()),
        };
        let is = handle.metadata()?;
        if is.uid() != rustix::process::geteuid().as_raw() || is.mode() & 0o077 != 0 {
            return Err(not_ours());
        }
        Ok(Self { handle, shown: self.shown.join(name) })
    }

    /// Gives it this mode, and to this user and group, where we may and it is not theirs: root restores for the daemon's
    /// user.
    pub(crate) fn give(&self, mode: u32, to: &fs::Metadata) -> io::Result<()> {
        give(&self.handle, mode, to)
    }

    /// Has the disk keep the names in it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Removes what commands left in it that were broken off: what has such a name, and is a directory that nobody
    /// holds, or a link; not a file. Whose it is does not matter: it goes by the right to remove it, and what stays is told.
    pub(crate) fn sweep(&self, is_left: impl Fn(&str) -> bool) -> io::Result<Swept> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut swept = Swept::default();
        for entry in fs::read_dir(self.through())? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| is_left(name)) else { continue };
            let removed = match openat(&self.handle, name, flags, Mode::empty()).map(File::from) {
                Ok(directory) => match directory.try_lock() {
                    // Held until it is gone: nobody takes it up meanwhile.
                    Ok(()) => fs::remove_dir_all(self.path(name)),
                    Err(fs::TryLockError::WouldBlock) => continue,
                    Err(fs::TryLockError::Error(error)) => Err(error),
                },
                // A link is in the way of the next one, and nobody keeps anything in it.
                Err(Errno::LOOP | Errno::NOTDIR) if self.path(name).is_symlink() => fs::remove_file(self.path(name)),
                Err(Errno::LOOP | Errno::NOTDIR) => continue,
                Err(errno) => Err(errno.into()),
            };
            match removed {
                Ok(()) => swept.removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => swept.left.push((self.shown.join(name), error)),
            }
        }
        Ok(swept)
    }
}

/// What became of what was left.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many directories were removed.
    pub removed: usize,
    /// Those that stay, and why: root's, where the daemon looks.
    pub left: Vec<(PathBuf, io::Error)>,
}

/// Gives an open file this mode, and to this owner, where we may.
pub(crate) fn give(file: &File, mode: u32, to: &fs::Metadata) -> io::Result<()> {
    let is = file.metadata()?;
    if (is.uid(), is.gid()) != (to.uid(), to.gid()) && rustix::process::geteuid().is_root() {
        fchown(file, Some(to.uid()), Some(to.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(mode))
}

/// Where a link leads that is root's or ours.
fn target_of(at: impl std::os::fd::AsFd, name: impl rustix::path::Arg, is: &Stat) -> io::Result<PathBuf> {
    if is.st_uid != 0 && is.st_uid != rustix::process::geteuid().as_raw() {
        let why = format!(
            "a symbolic link on the way belongs to the user with the number {}, and only links of root or of whoever runs \
             this are followed",
            is.st_uid
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(PathBuf::from(OsString::from_vec(readlinkat(at, name, Vec::new())?.into_bytes())))
}

fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "it is there already, and is not ours alone")
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[test]
    fn ways_are_gone_name_by_name_and_strangers_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().canonicalize().unwrap();
        fs::create_dir_all(real.join("a/b")).unwrap();
        symlink("b", real.join("a/own")).unwrap();
        symlink(real.join("a"), real.join("whole")).unwrap();
        symlink("round", real.join("round")).unwrap();
        let shown = |path: &str| HeldDirectory::open(&real.join(path)).map(|held| held.shown().to_owned());
        for path in ["a/b", "a/own", "whole/own", "./a/../whole/b"] {
            assert_eq!(shown(path).unwrap(), real.join("a/b"), "{path}");
        }
        assert!(shown("round").is_err() && shown("none").is_err());
        lchown(real.join("a/own"), Some(4_711), Some(4_711)).expect("this test runs as root");
        let error = shown("whole/own").unwrap_err();
        assert!(error.to_string().contains("4711"), "{error}");
        let held = HeldDirectory::open(&real.join("a")).unwrap();
        assert!(held.link(OsStr::new("own")).is_err() && held.below(Path::new("own")).is_err());
    }

    #[test]
    fn a_handle_leads_to_its_directory_whatever_the_name_is() {
        let home = tempfile::tempdir().unwrap();
        let held = HeldDirectory::open(home.path()).unwrap();
        let work = held.make("work").unwrap();
        fs::rename(home.path().join("work"), home.path().join("away")).unwrap();
        symlink("/", home.path().join("work")).unwrap();
        fs::write(work.path("file"), "here").unwrap();
        assert_eq!(fs::read_to_string(home.path().join("away/file")).unwrap(), "here");
        assert!(held.ours("work").unwrap_err().to_string().contains("not ours alone"));
        assert!(work.file(OsStr::new("file")).is_ok());
        symlink("file", work.path("link")).unwrap();
        assert!(work.file(OsStr::new("link")).is_err());
    }

    #[test]
    fn what_nobody_holds_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let held = HeldDirectory::open(home.path()).unwrap();
        let (live, dead) = (held.make(".x-live").unwrap(), held.make(".x-dead").unwrap());
        live.handle().try_lock().unwrap();
        fs::write(dead.path("file"), "left").unwrap();
        drop(dead);
        held.make("other").unwrap();
        symlink("other", home.path().join(".x-link")).unwrap();
        fs::write(home.path().join(".x-notes"), "mine").unwrap();
        let swept = held.sweep(|name| name.starts_with(".x-")).unwrap();
        assert_eq!((swept.removed, swept.left.len()), (2, 0), "{swept:?}");
        assert!(home.path().join(".x-notes").exists(), "somebody's file");
        assert!(!home.path().join(".x-dead").exists());
        assert!(home.path().join(".x-live").exists() && home.path().join("other").exists());
    }
}
