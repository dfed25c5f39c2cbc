use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

/// The largest file of a registry.
const FILE_BYTES: u64 = 32 << 20;

/// A directory, and what is beneath it. Whoever filled it may be less trusted than whoever imports it, so no symbolic
/// link is followed on any way into it: the way is gone name by name.
pub(super) struct Beneath {
    directory: OwnedFd,
    /// Its whole path.
    pub(super) path: PathBuf,
    /// Its path as it was given.
    given: PathBuf,
}

/// What a directory lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Link,
    /// A socket, a pipe, a device; or something whose name is no text.
    Other,
}

impl Beneath {
    /// The directory itself may be a link: its name was given by whoever imports it.
    pub(super) fn of(given: &Path) -> io::Result<Self> {
        let path = given.canonicalize()?;
        let directory = openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { directory, path, given: given.to_owned() })
    }

    /// Opens what is at `path`, which has plain names only.
    fn open(&self, path: &Path, last: OFlags) -> Result<OwnedFd, Errno> {
        let step = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut names: Vec<&OsStr> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name),
                _ => return Err(Errno::XDEV),
            }
        }
        let Some((file, directories)) = names.split_last() else { return Err(Errno::ISDIR) };
        let mut at: Option<OwnedFd> = None;
        for name in directories {
            let from = at.as_ref().unwrap_or(&self.directory);
            at = Some(openat(from, *name, step | OFlags::DIRECTORY, Mode::empty())?);
        }
        openat(at.as_ref().unwrap_or(&self.directory), *file, step | last, Mode::empty())
    }

    /// Opens a regular file.
    pub(super) fn file(&self, path: &Path) -> Result<File, Errno> {
        // Without waiting: a pipe would have us wait for whoever writes to it.
        let file = self.open(path, OFlags::NONBLOCK)?;
        match FileType::from_raw_mode(fstat(&file)?.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            _ => Err(Errno::INVAL),
        }
    }

    /// What a file holds, or why it is not read.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.file(Path::new(path)).map_err(|errno| match errno {
            Errno::LOOP => "it is a symbolic link, which is not followed".to_owned(),
            Errno::INVAL | Errno::NXIO => "it is no regular file".to_owned(),
            errno => format!("it cannot be read: {}", io::Error::from(errno)),
        })?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
        if bytes.len() as u64 > FILE_BYTES {
            return Err(format!("it is larger than {} MiB", FILE_BYTES >> 20));
        }
        Ok(bytes)
    }

    /// What is in a directory, by name; the directory itself where `path` is empty.
    pub(super) fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        let opened = match path {
            "" => None,
            path => Some(self.open(Path::new(path), OFlags::DIRECTORY)?),
        };
        let directory = opened.as_ref().unwrap_or(&self.directory);
        let mut entries = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    FileType::from_raw_mode(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
                }
                kind => kind,
            };
            let kind = match (name.to_str(), kind) {
                (Err(_), _) => Kind::Other,
                (Ok(_), FileType::RegularFile) => Kind::File,
                (Ok(_), FileType::Directory) => Kind::Directory,
                (Ok(_), FileType::Symlink) => Kind::Link,
                (Ok(_), _) => Kind::Other,
            };
            entries.push(Entry { name: name.to_string_lossy().into_owned(), kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// `path` from here on, where it lies beneath.
    pub(super) fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.path).or_else(|_| path.strip_prefix(&self.given)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::fs::create_dir(inside.path().join("d")).unwrap();
        std::fs::write(inside.path().join("d/f"), "inside").unwrap();
        symlink(outside.path(), inside.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("d/link")).unwrap();
        symlink("f", inside.path().join("d/own")).unwrap();
        let given = inside.path().join("d/..");
        let beneath = Beneath::of(&given).unwrap();
        assert_eq!(beneath.read("d/f").unwrap(), b"inside");
        for path in ["out/secret", "d/link", "d/own", "../x", "/etc/passwd", "d/../d/f", "d", "", "d/none"] {
            assert!(beneath.read(path).is_err(), "{path}");
        }
        assert_eq!(beneath.read("d/link").unwrap_err(), "it is a symbolic link, which is not followed");
        assert!(beneath.list("out").is_err());
        let entry = |name: &str, kind| Entry { name: name.to_owned(), kind };
        assert_eq!(beneath.list("").unwrap(), [entry("d", Kind::Directory), entry("out", Kind::Link)]);
        let listed = [entry("f", Kind::File), entry("link", Kind::Link), entry("own", Kind::Link)];
        assert_eq!(beneath.list("d").unwrap(), listed);
    }

    #[test]
    fn not_everything_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create(directory.path().join("large")).unwrap();
        file.set_len(FILE_BYTES + 1).unwrap();
        rustix::fs::mknodat(CWD, directory.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let beneath = Beneath::of(directory.path()).unwrap();
        assert_eq!(beneath.read("large").unwrap_err(), "it is larger than 32 MiB");
        assert_eq!(beneath.read("pipe").unwrap_err(), "it is no regular file");
    }
}
