//! The data file that is there, the directory beside it in which the next one is made ready, and the change.

use std::cell::RefCell;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::files::copy_model;
use super::request::{RestoreError, RestoreRequest};
use crate::artifacts::content_path;
use crate::domain::backup::{Holdings, KeptArtifact};
use crate::store::{self, Inspected, OpenError, RESERVE_BYTES, Store};

/// The directory beside the data file.
const WORK: &str = ".restore";

/// Models' files are nobody's to change, and the trading services read them, as those that were sent.
const MODEL_MODE: u32 = 0o440;
const DIRECTORY_MODE: u32 = 0o750;

/// The data file as it is found.
pub(super) struct Present {
    /// Its path, where a link leads to it.
    pub(super) path: PathBuf,
    file: Option<Metadata>,
    inspected: Result<Inspected, OpenError>,
}

impl Present {
    pub(super) fn look(path: &Path) -> Result<Self, RestoreError> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The directory has to be there; the file need not.
                let directory = directory_of(path);
                let there = fs::canonicalize(directory).map_err(RestoreError::io("find the directory", directory))?;
                there.join(path.file_name().unwrap_or_default())
            }
            Err(error) => return Err(RestoreError::io("look at", path)(error)),
        };
        let file = metadata(&path)?;
        if file.as_ref().is_some_and(|file| !file.is_file()) {
            let why = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(RestoreError::io("replace, which is no file,", path)(why));
        }
        let inspected = Store::inspect(&path);
        Ok(Self { path, file, inspected })
    }

    pub(super) fn in_use(&self) -> bool {
        matches!(self.inspected, Err(OpenError::InUse { .. }))
    }

    /// The name under which it stays, if there is one: the first that is free. One that a run before this gave it already
    /// is its own.
    pub(super) fn name_to_keep(&self) -> Result<Option<PathBuf>, RestoreError> {
        let Some(file) = &self.file else { return Ok(None) };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 1.. {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let kept = self.path.with_file_name(format!("{name}.pre-restore{suffix}"));
            match metadata(&kept)? {
                None => return Ok(Some(kept)),
                Some(other) if same(&other, file) => return Ok(Some(kept)),
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

/// Where the next data file is made ready. Removed when this is dropped.
pub(super) struct Workplace {
    data_file: PathBuf,
    path: PathBuf,
    /// Whose everything is to be: the owner of the data file's directory.
    owner: Metadata,
    notes: RefCell<Option<String>>,
    _lock: File,
}

impl Workplace {
    /// Makes it, or takes over what a run that died left.
    pub(super) fn make(data_file: &Path) -> Result<Self, RestoreError> {
        let directory = directory_of(data_file).to_owned();
        let owner = fs::metadata(&directory).map_err(RestoreError::io("look at", &directory))?;
        // The lock is the directory's own: it needs no file that would be left behind.
        let lock = File::open(&directory).map_err(RestoreError::io("open", &directory))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(RestoreError::Busy { directory }),
            Err(fs::TryLockError::Error(error)) => return Err(RestoreError::io("lock", &directory)(error)),
        }
        let path = directory.join(WORK);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(RestoreError::io("clear", &path)(error));
            }
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&path).map_err(RestoreError::io("make", &path))?;
        Ok(Self { data_file: data_file.to_owned(), path, owner, notes: RefCell::default(), _lock: lock })
    }

    /// The file that takes the data file's place.
    pub(super) fn candidate(&self) -> PathBuf {
        self.path.join("quantum.redb")
    }

    /// Notes why something could not be compared.
    pub(super) fn note(&self, why: String) {
        *self.notes.borrow_mut() = Some(why);
    }

    pub(super) fn noted(&self) -> Option<String> {
        self.notes.borrow().clone()
    }

    /// Refuses a disk without room for `bytes`.
    pub(super) fn require(&self, bytes: u64) -> Result<(), RestoreError> {
        let (free, needed) = (self.free()?, bytes + RESERVE_BYTES);
        if free < needed {
            return Err(RestoreError::Full { directory: directory_of(&self.data_file).to_owned(), free, needed });
        }
        Ok(())
    }

    fn free(&self) -> Result<u64, RestoreError> {
        let stat = rustix::fs::statvfs(&self.path).map_err(io::Error::from);
        let stat = stat.map_err(RestoreError::io("look at the disk of", &self.path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// What is in the present data file, and whether it was restored; none where there is no file, and an error in words
    /// where it cannot be told.
    pub(super) fn holdings_of(&self, present: &Present) -> Result<Option<(Holdings, Option<store::Restored>)>, String> {
        match &present.inspected {
            Ok(Inspected::Missing) | Err(OpenError::InUse { .. }) => Ok(None),
            Ok(_) => self.look_into(&present.path).map(Some),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn holdings_of_candidate(&self, candidate: &Path) -> Result<Holdings, RestoreError> {
        let unreadable = |why| RestoreError::NoBackup { path: candidate.to_owned(), why };
        self.look_into(candidate).map(|(holdings, _)| holdings).map_err(unreadable)
    }

    /// Reads a data file as it is, or, where it would have to be repaired or migrated first, a copy of it.
    fn look_into(&self, path: &Path) -> Result<(Holdings, Option<store::Restored>), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let read = |store: Store| {
            let read = store.holdings().and_then(|holdings| Ok((holdings, store.restored()?)));
            store.close();
            read.map_err(|error| told(&error))
        };
        match Store::open_for_reading(path) {
            Ok(store) => read(store),
            Err(OpenError::NotReady { .. }) => {
                let scratch = self.path.join("look");
                DirBuilder::new().mode(0o700).create(&scratch).map_err(|error| told(&error))?;
                let copy = scratch.join("quantum.redb");
                let size = fs::metadata(path).map_err(|error| told(&error))?.len();
                // Twice: a migration keeps a copy.
                let looked = match self.require(size.saturating_mul(2)) {
                    Ok(()) => fs::copy(path, &copy)
                        .map_err(|error| told(&error))
                        .and_then(|_| Store::open(&copy).map_err(|error| told(&error)))
                        .and_then(read),
                    Err(error) => Err(format!("it would have to be copied first, and {error}")),
                };
                fs::remove_dir_all(&scratch).map_err(|error| told(&error))?;
                looked
            }
            Err(error) => Err(told(&error)),
        }
    }

    /// Brings a model's file to its place.
    pub(super) fn bring(&self, request: &RestoreRequest<'_>, artifact: &KeptArtifact) -> Result<(), RestoreError> {
        let (coming, place) = (self.path.join("model"), content_path(&self.data_file, &artifact.sha256));
        copy_model(request, artifact, &coming, MODEL_MODE)?;
        self.give(&coming)?;
        let shelf = directory_of(&place);
        self.make_directories(shelf)?;
        fs::rename(&coming, &place).map_err(RestoreError::io("bring a model's file to", &place))?;
        sync(shelf)
    }

    fn make_directories(&self, directory: &Path) -> Result<(), RestoreError> {
        if directory.is_dir() {
            return Ok(());
        }
        let above = directory_of(directory);
        self.make_directories(above)?;
        let made = DirBuilder::new().mode(DIRECTORY_MODE).create(directory);
        made.map_err(RestoreError::io("make", directory))?;
        self.give(directory)?;
        sync(above)
    }

    /// Gives a file to the owner of the data file's directory, where we may: root restores for the daemon's user.
    fn give(&self, path: &Path) -> Result<(), RestoreError> {
        let is = fs::metadata(path).map_err(RestoreError::io("look at", path))?;
        if (is.uid(), is.gid()) == (self.owner.uid(), self.owner.gid()) || !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        chown(path, Some(self.owner.uid()), Some(self.owner.gid())).map_err(RestoreError::io("give away", path))
    }

    /// One rename, and everything on the disk before it and behind it. A daemon that wants the file meanwhile finds it in
    /// use.
    pub(super) fn switch(&self, present: &Present, candidate: &Path, kept: Option<&Path>) -> Result<(), RestoreError> {
        let path = &present.path;
        let failed = |step| RestoreError::io(step, path.clone());
        fs::set_permissions(candidate, Permissions::from_mode(0o600)).map_err(failed("set the mode of"))?;
        self.give(candidate)?;
        let next = lock(candidate)?;
        next.sync_all().map_err(failed("write"))?;
        sync(&self.path)?;
        match (kept, &present.file) {
            (Some(kept), Some(before)) => {
                let old = lock(path)?;
                let is = old.metadata().map_err(failed("look at"))?;
                if !same(&is, before) || is.len() != before.len() || modified(&is) != modified(before) {
                    return Err(RestoreError::Changed { path: path.clone() });
                }
                if metadata(kept)?.is_none() {
                    fs::hard_link(path, kept).map_err(RestoreError::io("keep the data file of before as", kept))?;
                }
                sync(directory_of(path))?;
                crate::failpoint!("restore.kept");
                fs::rename(candidate, path).map_err(failed("put the backup in the place of"))?;
            }
            _ => {
                // A daemon that was started meanwhile may have made one: then this fails, and nothing was changed.
                fs::hard_link(candidate, path).map_err(failed("put the backup in the place of"))?;
            }
        }
        crate::failpoint!("restore.renamed");
        sync(directory_of(path))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays, the next run removes.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what a restore left that died: it is as large as a data file, and as secret. Whoever starts on the data file does
/// this; a restore that is under way keeps what it has.
pub fn sweep(data_file: &Path) -> io::Result<bool> {
    let directory = directory_of(data_file);
    let work = directory.join(WORK);
    if !work.exists() {
        return Ok(false);
    }
    let lock = File::open(directory)?;
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(work).map(|()| true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Has the file to ourselves until this is dropped; the data file's own lock is of the same kind.
fn lock(path: &Path) -> Result<File, RestoreError> {
    let file = File::open(path).map_err(RestoreError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(RestoreError::InUse { path: path.to_owned() }),
        Err(fs::TryLockError::Error(error)) => Err(RestoreError::io("lock", path)(error)),
    }
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn metadata(path: &Path) -> Result<Option<Metadata>, RestoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RestoreError::io("look at", path)(error)),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync(directory: &Path) -> Result<(), RestoreError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(RestoreError::io("write the directory", directory))
}
