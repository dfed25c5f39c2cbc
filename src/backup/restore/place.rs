//! The data file that is there, the directory beside it in which the next one is made ready, and the change.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::files::copy_model;
use super::request::{RestoreError, RestoreRequest};
use crate::artifacts::content_path;
use crate::backup::held::{self, HeldDirectory, Swept};
use crate::domain::backup::{Holdings, KeptArtifact};
use crate::store::{self, Inspected, OpenError, RESERVE_BYTES, Store};

/// The directory beside the data file.
const WORK: &str = ".restore";

/// What the names of the directories begin with into which backups are fetched, beside the data file.
pub const FETCHED: &str = ".quantum-clm-fetched-";

/// The names in it.
const CANDIDATE: &str = "quantum.redb";
const MODEL: &str = "model";
const DIRECTORY: &str = "directory";

/// The data file is the daemon's alone. Models' files are nobody's to change, and the trading services read them, as those
/// that were sent.
const DATA_MODE: u32 = 0o600;
const MODEL_MODE: u32 = 0o440;
const DIRECTORY_MODE: u32 = 0o750;

/// As many links as Linux follows on one way.
const MOST_LINKS: usize = 40;

/// The data file as it is found.
pub(super) struct Present {
    /// Its path, where a link leads to it: for people, and for looking.
    pub(super) path: PathBuf,
    /// Its directory. What is changed is changed through the handle.
    pub(super) directory: HeldDirectory,
    name: OsString,
    file: Option<Metadata>,
    inspected: Result<Inspected, OpenError>,
}

impl Present {
    pub(super) fn look(given: &Path) -> Result<Self, RestoreError> {
        let failed = |error| RestoreError::io("look at", given)(error);
        let mut path = given.to_owned();
        for _ in 0..MOST_LINKS {
            let above = directory_of(&path);
            // The directory has to be there; the file need not.
            let directory = HeldDirectory::open(above).map_err(RestoreError::io("find the directory", above))?;
            let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?.to_owned();
            if let Some(target) = directory.link(&name).map_err(failed)? {
                path = directory.shown().join(target);
                continue;
            }
            path = directory.shown().join(&name);
            let file = metadata(&directory.path(&name))?;
            if file.as_ref().is_some_and(|file| !file.is_file()) {
                let why = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(RestoreError::io("replace, which is no file,", path)(why));
            }
            let inspected = Store::inspect(&path);
            return Ok(Self { path, directory, name, file, inspected });
        }
        Err(failed(io::Error::other("its links lead nowhere")))
    }

    pub(super) fn in_use(&self) -> bool {
        matches!(self.inspected, Err(OpenError::InUse { .. }))
    }

    /// The name under which it stays, if there is one: the first that is free. One that a run before this gave it already
    /// is its own.
    pub(super) fn name_to_keep(&self) -> Result<Option<OsString>, RestoreError> {
        let Some(file) = &self.file else { return Ok(None) };
        let name = self.name.to_string_lossy();
        for number in 1.. {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let kept = OsString::from(format!("{name}.pre-restore{suffix}"));
            match metadata(&self.directory.path(&kept))? {
                None => return Ok(Some(kept)),
                Some(other) if same(&other, file) => return Ok(Some(kept)),
                Some(_) => {}
            }
        }
        Ok(None)
    }

    /// Has the file to ourselves until this is dropped; the data file's own lock is of the same kind.
    fn lock(&self) -> Result<File, RestoreError> {
        let file = self.directory.file(&self.name).map_err(RestoreError::io("open", &self.path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(RestoreError::InUse { path: self.path.clone() }),
            Err(fs::TryLockError::Error(error)) => Err(RestoreError::io("lock", &self.path)(error)),
        }
    }
}

/// Where the next data file is made ready: a directory that is ours alone. Removed when this is dropped.
pub(super) struct Workplace<'a> {
    present: &'a Present,
    directory: HeldDirectory,
    name: String,
    /// Whose everything is to be: the owner of the data file's directory.
    owner: Metadata,
    notes: RefCell<Option<String>>,
}

impl<'a> Workplace<'a> {
    /// Makes it, and removes what runs that died have left. Who changes something is alone; who only looks minds nobody.
    pub(super) fn make(present: &'a Present, dry_run: bool) -> Result<Self, RestoreError> {
        let beside = &present.directory;
        let shown = beside.shown();
        let owner = beside.metadata().map_err(RestoreError::io("look at", shown))?;
        if !dry_run {
            // The lock is the directory's own: it needs no file that would be left behind.
            match beside.handle().try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Err(who_has(present)),
                Err(fs::TryLockError::Error(error)) => return Err(RestoreError::io("lock", shown)(error)),
            }
        }
        beside.sweep(is_leftover).map_err(RestoreError::io("clear", shown))?;
        let name = if dry_run { format!("{WORK}-{}", std::process::id()) } else { WORK.to_owned() };
        let made = beside.make(&name).and_then(|directory| {
            directory.handle().try_lock()?;
            Ok(directory)
        });
        let directory = made.map_err(RestoreError::io("make", shown.join(&name)))?;
        Ok(Self { present, directory, name, owner, notes: RefCell::default() })
    }

    /// The file that takes the data file's place.
    pub(super) fn candidate(&self) -> PathBuf {
        self.directory.path(CANDIDATE)
    }

    /// Where that is, and under which name.
    pub(super) fn place_of_candidate(&self) -> (&HeldDirectory, &'static str) {
        (&self.directory, CANDIDATE)
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
            return Err(RestoreError::Full { directory: self.present.directory.shown().to_owned(), free, needed });
        }
        Ok(())
    }

    fn free(&self) -> Result<u64, RestoreError> {
        let stat = rustix::fs::fstatvfs(self.directory.handle()).map_err(io::Error::from);
        let stat = stat.map_err(RestoreError::io("look at the disk of", self.directory.shown()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// What is in the present data file, and whether it was restored; none where there is no file, and an error in words
    /// where it cannot be told.
    pub(super) fn holdings_of_present(&self) -> Result<Option<(Holdings, Option<store::RestoreMark>)>, String> {
        match &self.present.inspected {
            Ok(Inspected::Missing) | Err(OpenError::InUse { .. }) => Ok(None),
            Ok(_) => self.look_into(&self.present.path).map(Some),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn holdings_of_candidate(&self, candidate: &Path) -> Result<Holdings, RestoreError> {
        let unreadable = |why| RestoreError::NoBackup { path: candidate.to_owned(), why };
        self.look_into(candidate).map(|(holdings, _)| holdings).map_err(unreadable)
    }

    /// Reads a data file as it is, or, where it would have to be repaired or migrated first, a copy of it.
    fn look_into(&self, path: &Path) -> Result<(Holdings, Option<store::RestoreMark>), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let read = |store: Store| {
            let read = store.holdings().and_then(|holdings| Ok((holdings, store.restored()?)));
            store.close();
            read.map_err(|error| told(&error))
        };
        match Store::open_for_reading(path) {
            Ok(store) => read(store),
            Err(OpenError::NotReady { .. }) => {
                let scratch = self.directory.path("look");
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
        copy_model(request, artifact, (&self.directory, MODEL))?;
        let shown = self.directory.shown().join(MODEL);
        let coming = self.directory.file(OsStr::new(MODEL));
        coming
            .and_then(|file| held::give(&file, MODEL_MODE, &self.owner))
            .map_err(RestoreError::io("give away", shown))?;
        let place = content_path(Path::new(CANDIDATE), &artifact.sha256);
        let shelf = self.shelf(directory_of(&place))?;
        let brought = fs::rename(self.directory.path(MODEL), shelf.path(place.file_name().unwrap_or_default()));
        let brought = brought.and_then(|()| shelf.sync());
        brought.map_err(RestoreError::io("bring a model's file to", shelf.shown()))
    }

    /// A directory beneath the data file's; it and those above it are made where they are missing.
    fn shelf(&self, path: &Path) -> Result<HeldDirectory, RestoreError> {
        let beside = &self.present.directory;
        let mut way = PathBuf::new();
        for name in path.components() {
            let above = beside.below(&way).map_err(RestoreError::io("open", beside.shown().join(&way)))?;
            way.push(name);
            let failed = |step| RestoreError::io(step, beside.shown().join(&way));
            match above.below(name.as_ref()) {
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("open")(error)),
            }
            // It comes to its place as what it is to be: what lies under its name meanwhile is given to nobody.
            let made = self.directory.make(DIRECTORY).and_then(|made| {
                made.give(DIRECTORY_MODE, &self.owner)?;
                fs::rename(self.directory.path(DIRECTORY), above.path(name))?;
                above.sync()
            });
            made.map_err(failed("make"))?;
        }
        beside.below(path).map_err(RestoreError::io("open", beside.shown().join(path)))
    }

    /// One rename, and everything on the disk before it and behind it. A daemon that wants the file meanwhile finds it in
    /// use.
    pub(super) fn switch(&self, kept: Option<&OsStr>) -> Result<(), RestoreError> {
        let (present, beside, candidate) = (self.present, &self.present.directory, self.candidate());
        let failed = |step| RestoreError::io(step, present.path.clone());
        let next = self.directory.file(OsStr::new(CANDIDATE)).map_err(failed("open what takes the place of"))?;
        held::give(&next, DATA_MODE, &self.owner).map_err(failed("give away what takes the place of"))?;
        next.try_lock().map_err(|error| failed("lock what takes the place of")(error.into()))?;
        next.sync_all().map_err(failed("write"))?;
        self.directory.sync().map_err(failed("write what takes the place of"))?;
        let synced = || beside.sync().map_err(RestoreError::io("write the directory", beside.shown()));
        match (kept, &present.file) {
            (Some(kept), Some(before)) => {
                let old = present.lock()?;
                let is = old.metadata().map_err(failed("look at"))?;
                if !same(&is, before) || is.len() != before.len() || modified(&is) != modified(before) {
                    return Err(RestoreError::Changed { path: present.path.clone() });
                }
                let (kept, shown) = (beside.path(kept), beside.shown().join(kept));
                if metadata(&kept)?.is_none() {
                    let linked = fs::hard_link(beside.path(&present.name), &kept);
                    linked.map_err(RestoreError::io("keep the data file of before as", shown))?;
                }
                synced()?;
                crate::failpoint!("restore.kept");
                let renamed = fs::rename(candidate, beside.path(&present.name));
                renamed.map_err(failed("put the backup in the place of"))?;
            }
            _ => {
                // A daemon that was started meanwhile may have made one: then this fails, and nothing was changed.
                let linked = fs::hard_link(candidate, beside.path(&present.name));
                linked.map_err(failed("put the backup in the place of"))?;
            }
        }
        crate::failpoint!("restore.renamed");
        synced()
    }
}

impl Drop for Workplace<'_> {
    fn drop(&mut self) {
        // What stays, the next run removes.
        let _ = fs::remove_dir_all(self.present.directory.path(&self.name));
    }
}

/// Who keeps us from having the directory to ourselves: daemons share it.
fn who_has(present: &Present) -> RestoreError {
    match present.directory.handle().try_lock_shared() {
        Ok(()) => RestoreError::InUse { path: present.path.clone() },
        Err(_) => RestoreError::Busy { directory: present.directory.shown().to_owned() },
    }
}

/// Removes what restores left that died, and what they fetched: it is as large as a data file, and as secret. Whoever
/// starts on the data file does this; a restore that is under way keeps what it has.
pub fn sweep_leftovers(data_file: &Path) -> io::Result<Swept> {
    HeldDirectory::open(directory_of(data_file))?.sweep(is_leftover)
}

fn is_leftover(name: &str) -> bool {
    name.starts_with(FETCHED) || name.strip_prefix(WORK).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
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
