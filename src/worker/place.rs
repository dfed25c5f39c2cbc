//! The worker's directory: what survives the worker.
//!
//! ```text
//! <worker.directory>/
//!   lock                    one worker at a time
//!   instance.json           what tells this worker from others of its name
//!   jobs/<root>/            a job with its retries: they find what is there
//!     task.json             what this worker was told to do; there for as long as it has the job
//!     <program>/            the program's working directory: job.json, result.json, its files
//!     fetched/              files of a version that was trained elsewhere
//!     runs/<program>/       the run (src/runner)
//!     kept/<program>.json   what the program left, and under which inputs
//!     log/<job>.<epoch>/    what the programs of a lease wrote
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::job::{Assignment, JobId, Program};

/// Why a worker cannot use its directory.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Another worker has it.
    #[error("another worker uses {}: one worker a directory; set worker.directory, and worker.name, for a second one", .0.display())]
    Taken(PathBuf),
    /// It is somebody else's.
    #[error("{} belongs to another user: run the worker as that user, or set worker.directory", .0.display())]
    NotOurs(PathBuf),
    /// It cannot be made or used.
    #[error("cannot {step} {}: {source}: set worker.directory to a place that this user may write to", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The directory, for as long as this worker has it.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    instance: String,
    _lock: File,
}

/// The directory of one job with its retries. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct JobPlace {
    path: PathBuf,
    pub(super) root: JobId,
}

/// What this worker is at, as the file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) assignment: Assignment,
}

impl Place {
    pub(super) fn open(path: &Path) -> Result<Self, PlaceError> {
        let failed = |step, path: &Path| {
            let path = path.to_owned();
            move |source| PlaceError::Io { step, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make", path))?;
        let owner = fs::metadata(path).map_err(failed("look at", path))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(PlaceError::NotOurs(path.to_owned()));
        }
        let file = path.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(&file);
        let lock = lock.map_err(failed("open", &file))?;
        let take = || flock(&lock, FlockOperation::NonBlockingLockExclusive);
        // A worker that was killed while it started a supervisor leaves its lock to that for some microseconds.
        match crate::process::unless_inherited(take, |error| *error == rustix::io::Errno::WOULDBLOCK) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(PlaceError::Taken(path.to_owned())),
            Err(errno) => return Err(failed("lock", &file)(errno.into())),
        }
        let jobs = path.join("jobs");
        DirBuilder::new().recursive(true).mode(0o700).create(&jobs).map_err(failed("make", &jobs))?;
        let file = path.join("instance.json");
        let instance = instance(&file).map_err(failed("use", &file))?;
        Ok(Self { path: path.to_owned(), instance, _lock: lock })
    }

    /// What tells this worker from others of its name: it is its directory's.
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a job, which need not exist.
    pub(super) fn job(&self, root: JobId) -> JobPlace {
        JobPlace { path: self.path.join("jobs").join(root.to_string()), root }
    }

    /// Every job's directory that is there.
    pub(super) fn jobs(&self) -> io::Result<Vec<JobPlace>> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(self.path.join("jobs"))? {
            let entry = entry?;
            let root = entry.file_name().to_str().and_then(|name| name.parse().ok());
            jobs.extend(root.map(|root| JobPlace { path: entry.path(), root }));
        }
        jobs.sort_by_key(|job| job.root);
        Ok(jobs)
    }
}

impl JobPlace {
    /// A directory that is no worker's.
    pub(super) fn at(path: &Path, root: JobId) -> Self {
        Self { path: path.to_owned(), root }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The working directory of a program.
    pub(super) fn work(&self, program: Program) -> PathBuf {
        self.path.join(program.as_str())
    }

    /// Its run.
    pub(super) fn run(&self, program: Program) -> PathBuf {
        self.path.join("runs").join(program.as_str())
    }

    /// What the programs of a lease wrote.
    pub(super) fn log(&self, job: JobId, epoch: u64) -> PathBuf {
        self.path.join("log").join(format!("{job}.{epoch}"))
    }

    /// Where files of a version are brought to that was not trained here.
    pub(super) fn fetched(&self) -> PathBuf {
        self.path.join("fetched")
    }

    pub(super) fn kept(&self, program: Program) -> PathBuf {
        self.path.join("kept").join(format!("{}.json", program.as_str()))
    }

    fn task_file(&self) -> PathBuf {
        self.path.join("task.json")
    }

    /// What this worker is at here, if it has the job.
    pub(super) fn task(&self) -> io::Result<Option<Task>> {
        read(&self.task_file())
    }

    pub(super) fn set_task(&self, task: &Task) -> io::Result<()> {
        make(&self.path)?;
        write(&self.task_file(), task)
    }

    /// The worker has the job no more. What is there may serve a retry.
    pub(super) fn clear_task(&self) -> io::Result<()> {
        match fs::remove_file(self.task_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_directory(&self.path),
        }
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }
}

/// What is in the file; made when there is none, or nothing that could be read.
fn instance(file: &Path) -> io::Result<String> {
    if let Ok(Some(known)) = read::<String>(file)
        && (1..=255).contains(&known.len())
        && known.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(known);
    }
    let new = format!("{:016x}", getrandom::u64().map_err(io::Error::other)?);
    write(file, &new)?;
    Ok(new)
}

/// Makes a directory that is nobody else's to look into.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a directory with everything in it; it is no fault that it is not there. Programs may have taken themselves the
/// right to their own directories, which must not keep what they left for ever.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path, 0)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn open_up(path: &Path, depth: usize) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // Deeper than any path can name.
    if depth > 2_048 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path(), depth + 1)?;
        }
    }
    Ok(())
}

/// Reads a file of ours; none if it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file of ours in one step, and forces it to the disk.
pub(super) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        let second = Place::open(directory.path()).unwrap_err().to_string();
        assert!(second.starts_with("another worker uses "), "{second}");
        drop(place);
        Place::open(directory.path()).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Place::open(&file), Err(PlaceError::Io { .. })));
    }

    #[test]
    fn jobs_are_found_and_what_is_none_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::open(directory.path()).unwrap();
        for name in ["job-12", "job-3", "job-03", "lost+found"] {
            fs::create_dir(directory.path().join("jobs").join(name)).unwrap();
        }
        assert_eq!(place.jobs().unwrap().iter().map(|job| job.root).collect::<Vec<_>>(), [JobId(3), JobId(12)]);
        assert!(place.job(JobId(3)).task().unwrap().is_none());
        place.job(JobId(4)).clear_task().unwrap_err();
        place.job(JobId(3)).clear_task().unwrap();
    }

    #[test]
    fn what_a_program_shut_is_removed_too() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(inner.join("c")).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o0)).unwrap();
        remove(&directory.path().join("a")).unwrap();
        assert!(!directory.path().join("a").exists());
        remove(&directory.path().join("a")).unwrap();
    }
}
