//! The files of models' versions: taken in, registered where they are, handed out, and looked at again.

mod follow;
mod rest;

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

pub(super) use self::follow::Following;
pub use self::follow::start;
pub use self::rest::{GoingOn, Reached, Sent, Took, begin, go_on, reached, take};
use super::App;
use super::registry::{Ask, RegistryError, take_file};
use crate::artifacts::{ArtifactError, Content, Directory, FileCheck, FileState, Intake, Registered};
use crate::domain::audit::AuditEntry;
use crate::domain::job::JobId;
use crate::domain::model::{
    ArtifactFile, ArtifactPath, ArtifactState, Artifacts, Digest, Keeping, ModelId, Version, VersionName,
};
use crate::store::{Store, StoreError};

/// Uploads under way at once: each has a thread while it lasts.
const UPLOADS: usize = 16;

/// Of those, what one caller may have: who sends slowly keeps nobody else from sending.
const UPLOADS_OF_ONE: usize = 8;

/// Bytes of a file of this machine that are read at once.
const PIECE_BYTES: usize = 256 << 10;

/// Downloads at once: each has some pieces of its file in memory.
const DOWNLOADS: usize = 64;

/// Versions that are read again at once: they have the disk to themselves otherwise.
const CHECKS: usize = 2;

/// The directory, and the places of those who use it. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    /// Where the files are.
    pub directory: Arc<Directory>,
    uploads: Arc<Semaphore>,
    /// Who has how many of them.
    uploading: Arc<Mutex<HashMap<String, usize>>>,
    downloads: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

impl Files {
    /// The files beside the data file.
    pub fn new(directory: Arc<Directory>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            directory,
            uploads: places(UPLOADS),
            uploading: Arc::default(),
            downloads: places(DOWNLOADS),
            checks: places(CHECKS),
        }
    }

    /// A place for an upload of the user or token that is called `who`.
    pub fn upload_place(&self, who: &str) -> Result<UploadPlace, FileError> {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        let has = uploading.get(who).copied().unwrap_or(0);
        if has >= UPLOADS_OF_ONE {
            return Err(FileError::Busy("uploads of one caller"));
        }
        let permit = place(&self.uploads, "uploads")?;
        uploading.insert(who.to_owned(), has + 1);
        Ok(UploadPlace { _permit: permit, who: who.to_owned(), uploading: Arc::clone(&self.uploading) })
    }

    /// A place for a download.
    pub fn download_place(&self) -> Result<OwnedSemaphorePermit, FileError> {
        place(&self.downloads, "downloads")
    }

    fn check_place(&self) -> Result<OwnedSemaphorePermit, FileError> {
        place(&self.checks, "checks of files")
    }
}

/// A place for an upload, until it is dropped.
pub struct UploadPlace {
    _permit: OwnedSemaphorePermit,
    who: String,
    uploading: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for UploadPlace {
    fn drop(&mut self) {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        match uploading.get_mut(&self.who) {
            Some(has) if *has > 1 => *has -= 1,
            _ => drop(uploading.remove(&self.who)),
        }
    }
}

fn place(places: &Arc<Semaphore>, what: &'static str) -> Result<OwnedSemaphorePermit, FileError> {
    Arc::clone(places).try_acquire_owned().map_err(|_| FileError::Busy(what))
}

/// Why a file is not taken, or not given.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The directory.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The version has no such file.
    #[error("version {version} of {model} has no file {path}")]
    NoFile {
        /// The model.
        model: ModelId,
        /// The version.
        version: VersionName,
        /// The file.
        path: ArtifactPath,
    },
    /// Whoever sent it left.
    #[error("the upload broke off")]
    BrokeOff,
    /// Whoever sent it goes on with it over another connection.
    #[error("the upload goes on over another connection")]
    Displaced,
    /// What comes is not what is missing.
    #[error("the upload goes on at byte {offset}")]
    Offset {
        /// How much of it is here.
        offset: u64,
    },
    /// Enough are under way.
    #[error("too many {0} at once")]
    Busy(&'static str),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is to be taken in.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// The model.
    pub model: ModelId,
    /// Its version.
    pub version: VersionName,
    /// The file's path in it.
    pub path: ArtifactPath,
    /// What it was announced as.
    pub sha256: Option<Digest>,
    /// How long it was announced to be.
    pub length: Option<u64>,
    /// The lease of the worker that sends it, where one does: it counts at the end too.
    pub lease: Option<(JobId, u64)>,
}

/// A piece of a file that is being sent. A sender that is dropped without an end has broken off.
#[derive(Clone, Debug)]
pub enum Piece {
    /// The next bytes.
    Bytes(bytes::Bytes),
    /// There are no more.
    End,
}

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileAnswer {
    /// Its path within the version.
    pub path: ArtifactPath,
    /// Bytes.
    pub size: u64,
    /// Its content.
    pub sha256: Digest,
}

impl From<&ArtifactFile> for FileAnswer {
    fn from(file: &ArtifactFile) -> Self {
        Self { path: file.path.clone(), size: file.size, sha256: file.sha256 }
    }
}

/// The files of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestAnswer {
    /// The model.
    #[serde(rename = "model_id")]
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// The directory that they were registered in; null where they were taken in.
    pub in_place: Option<String>,
    /// Whether they can be used; null where there are none yet.
    pub state: Option<ArtifactState>,
    /// Bytes of all.
    pub size: u64,
    /// Each of them, by path.
    pub files: Vec<FileAnswer>,
}

impl From<&Version> for ManifestAnswer {
    fn from(version: &Version) -> Self {
        let artifacts = version.artifacts.as_ref();
        Self {
            model: version.model.clone(),
            version: version.name.clone(),
            in_place: artifacts.and_then(|artifacts| match &artifacts.keeping {
                Keeping::Kept => None,
                Keeping::InPlace(directory) => Some(directory.clone()),
            }),
            state: artifacts.map(|artifacts| artifacts.state),
            size: artifacts.map_or(0, Artifacts::size),
            files: artifacts.iter().flat_map(|artifacts| &artifacts.files).map(FileAnswer::from).collect(),
        }
    }
}

/// What reading a version's files again has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckAnswer {
    /// The model.
    #[serde(rename = "model_id")]
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// Whether every file is there as it was.
    pub sound: bool,
    /// Each of them, by path.
    pub files: Vec<FileCheck>,
}

/// The files of a version.
pub fn manifest(store: &Store, model: &ModelId, version: &VersionName) -> Result<ManifestAnswer, FileError> {
    Ok(ManifestAnswer::from(&living(store, model, version)?))
}

/// Looks whether a file can be taken at all, before a byte of it is read.
pub fn may_take(app: &App, ask: &Ask, new: &NewFile) -> Result<(), FileError> {
    let mut version = living(&app.store, &new.model, &new.version)?;
    let had = version.artifacts.as_ref().and_then(|artifacts| artifacts.file(&new.path)).map(|file| file.sha256);
    // Whether it is the same as what is there is seen at its end, unless it was announced.
    let sha256 = new.sha256.or(had).unwrap_or(Digest([0; 32]));
    let file = ArtifactFile { path: new.path.clone(), size: new.length.unwrap_or(1), sha256 };
    take_file(ask, &mut version, file, app.config.artifacts.max_version).map_err(RegistryError::from)?;
    Ok(())
}

/// Takes in pieces, as they come.
fn fill(intake: &mut Intake<'_>, mut pieces: mpsc::Receiver<Piece>) -> Result<(), FileError> {
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => intake.write(&bytes)?,
            Some(Piece::End) => return Ok(()),
            None => return Err(FileError::BrokeOff),
        }
    }
}

/// Takes in a file of this machine, which is read to its end, and then into its version's manifest; whether it is new
/// there. Blocking.
pub fn take_path(app: &App, ask: &Ask, new: &NewFile, path: &Path) -> Result<(FileAnswer, bool), FileError> {
    may_take(app, ask, new)?;
    let io = |source| ArtifactError::Io { step: "read", path: path.to_owned(), source };
    let mut source = std::fs::File::open(path).map_err(io)?;
    let mut intake = app.files.directory.take_in(new.length)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match source.read(&mut piece).map_err(io)? {
            0 => return attach(app, ask, new, intake),
            read => intake.write(&piece[..read])?,
        }
    }
}

/// Gives a whole file its place, and takes it into its version's manifest; whether it is new there.
fn attach(app: &App, ask: &Ask, new: &NewFile, intake: Intake<'_>) -> Result<(FileAnswer, bool), FileError> {
    let directory = &app.files.directory;
    let taken = intake.finish(new.sha256)?;
    let file = ArtifactFile { path: new.path.clone(), size: taken.size, sha256: taken.digest };
    let limit = directory.limits().max_version;
    let attached = directory.keep(taken, || {
        app.registry.attach_under(ask, &new.model, &new.version, &file, limit, new.lease).map_err(FileError::from)
    })?;
    Ok((FileAnswer::from(&file), attached.new))
}

/// Registers files where they are.
pub fn register_in_place(
    app: &App,
    ask: &Ask,
    model: &ModelId,
    version: &VersionName,
    directory: &Path,
    files: &[Registered],
) -> Result<ManifestAnswer, FileError> {
    living(&app.store, model, version)?;
    let _place = app.files.check_place()?;
    let artifacts = app.files.directory.register_in_place(directory, files)?;
    app.registry.attach_in_place(ask, model, version, &artifacts)?;
    manifest(&app.store, model, version)
}

/// Opens a file of a version.
pub fn open(
    app: &App,
    model: &ModelId,
    version: &VersionName,
    path: &ArtifactPath,
) -> Result<(ArtifactFile, Content), FileError> {
    let artifacts = living(&app.store, model, version)?.artifacts;
    let found = artifacts.as_ref().and_then(|artifacts| Some((artifacts, artifacts.file(path)?)));
    let Some((artifacts, file)) = found else {
        return Err(FileError::NoFile { model: model.clone(), version: version.clone(), path: path.clone() });
    };
    Ok((file.clone(), app.files.directory.open(artifacts, file)?))
}

/// Reads a version's files again and takes down what that showed.
pub fn verify(app: &App, ask: &Ask, model: &ModelId, version: &VersionName) -> Result<CheckAnswer, FileError> {
    let found = living(&app.store, model, version)?;
    let _place = app.files.check_place()?;
    let files = found.artifacts.as_ref().map_or_else(Vec::new, |artifacts| app.files.directory.check(artifacts));
    let answer = CheckAnswer {
        model: model.clone(),
        version: version.clone(),
        sound: files.iter().all(|file| file.state == FileState::Ok),
        files,
    };
    let subject = format!("model {model} {version}");
    app.store.write::<_, StoreError>(|txn| {
        txn.audit(AuditEntry::done(ask.now, &ask.actor, "model.verify", subject, answer.told()))
    })?;
    if !answer.sound {
        tracing::warn!(%model, %version, "a version's files are not what they were: {}", answer.told());
    }
    Ok(answer)
}

/// Reads the files of every living version again, one after the other; `see` gets each version's result.
pub fn verify_all(store: &Store, directory: &Directory, mut see: impl FnMut(CheckAnswer)) -> Result<(), FileError> {
    for model in store.models()? {
        for version in store.versions_of(&model.id)? {
            let Some(artifacts) = version.artifacts.as_ref().filter(|_| version.deleted.is_none()) else { continue };
            let files = directory.check(artifacts);
            let sound = files.iter().all(|file| file.state == FileState::Ok);
            see(CheckAnswer { model: version.model, version: version.name, sound, files });
        }
    }
    Ok(())
}

impl CheckAnswer {
    /// In a sentence.
    pub fn told(&self) -> String {
        let bad: Vec<_> = self.files.iter().filter(|file| file.state != FileState::Ok).collect();
        if bad.is_empty() {
            return format!("{} files, each as it was", self.files.len());
        }
        let told = bad.iter().take(8).map(|file| match file.state {
            FileState::Ok | FileState::Damaged => format!("{} is damaged", file.path),
            FileState::Missing => format!("{} is missing", file.path),
            FileState::Unreadable => format!("{} cannot be read", file.path),
        });
        let told = told.collect::<Vec<_>>().join(", ");
        if bad.len() > 8 { format!("{told}, and {} more", bad.len() - 8) } else { told }
    }
}

fn living(store: &Store, model: &ModelId, name: &VersionName) -> Result<Version, FileError> {
    if store.model(model)?.is_none() {
        return Err(RegistryError::NoModel(model.clone()).into());
    }
    match store.version(model, name)? {
        Some(version) if version.deleted.is_none() => Ok(version),
        _ => Err(RegistryError::NoVersion(model.clone(), name.clone()).into()),
    }
}
