use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use super::garbage::{SweepError, entries, remove};
use super::{ArtifactError, Directory, layout};
use crate::domain::model::{ArtifactState, Keeping, Model, ModelId, VersionName};
use crate::observe::status::StatusBoard;
use crate::store::StoreError;

/// What the board calls it.
const COMPONENT: &str = "deployment";

/// Where a model's pointer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// What is in production; the pointer leads there.
    pub version: Option<VersionName>,
    /// The pointer: `<data directory>/production/<model>`.
    pub pointer: PathBuf,
    /// Whether it is there. It is not where nothing is in production, or where what is has no files.
    pub is_there: bool,
}

/// Why a pointer does not say what the data file says.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The disk.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SweepError> for DeployError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Artifact(error) => error.into(),
            SweepError::Store(error) => error.into(),
        }
    }
}

/// Has `production/` follow the data file: after each promotion and rollback, at the start, and again until it works.
pub struct Deployments {
    directory: Arc<Directory>,
    board: StatusBoard,
    /// Models whose pointer lags behind, and why.
    behind: Mutex<BTreeMap<ModelId, String>>,
}

impl Deployments {
    /// Pointers beside the data file of this directory. Nothing is done yet.
    pub fn new(directory: Arc<Directory>, board: StatusBoard) -> Self {
        Self { directory, board, behind: Mutex::default() }
    }

    /// Makes the pointer of `model` say what the data file says now; where it does already, nothing happens. A failure
    /// is remembered and shown, and [`Deployments::retry`] tries again.
    pub fn reconcile(&self, model: &ModelId) -> Result<Deployed, DeployError> {
        crate::failpoint!("deploy.begin");
        let deployed = self.directory.point(model);
        {
            let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
            match &deployed {
                Ok(_) => drop(behind.remove(model)),
                Err(error) => drop(behind.insert(model.clone(), error.to_string())),
            }
        }
        self.report();
        deployed
    }

    /// Goes through all models, and removes what an end in the middle of a change left behind: at the start.
    pub fn reconcile_all(&self) -> Result<(), DeployError> {
        self.directory.tidy_pointers()?;
        for model in self.directory.store.models()? {
            // Each is shown by itself.
            let _ = self.reconcile(&model.id);
        }
        self.report();
        Ok(())
    }

    /// Tries again where it failed.
    pub fn retry(&self) {
        let behind: Vec<_> = self.behind.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for model in &behind {
            let _ = self.reconcile(model);
        }
    }

    fn report(&self) {
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let reporter = self.board.reporter(COMPONENT);
        reporter.figure("pointers_behind", behind.len() as u64);
        match behind.first_key_value() {
            None => reporter.ok("the production pointers say what is in production"),
            Some((model, why)) => {
                let others = match behind.len() - 1 {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                reporter.failed(
                    format!("the production pointer of {model} is not up to date{others}: {why}"),
                    "whoever loads the model from there gets another version than the registry says; mend what is said \
                     above (free space, rights of the data directory): it is tried again every few seconds",
                );
            }
        }
    }
}

impl Directory {
    fn point(&self, id: &ModelId) -> Result<Deployed, DeployError> {
        // The data file is asked with the lock held: of two changes at once, whoever comes last sees both.
        let _alone = self.deploying.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer = self.layout.pointer(id);
        let version = self.store.model(id)?.and_then(|model| model.production);
        let target = match &version {
            Some(version) => self.target(id, version)?,
            None => None,
        };
        match &target {
            Some(target) => self.set_pointer(&pointer, target)?,
            None => self.clear_pointer(&pointer)?,
        }
        Ok(Deployed { version, pointer, is_there: target.is_some() })
    }

    /// Where the pointer leads, once what it leads to is there.
    fn target(&self, model: &ModelId, name: &VersionName) -> Result<Option<PathBuf>, DeployError> {
        let artifacts = self.store.version(model, name)?.and_then(|version| version.artifacts);
        Ok(match artifacts {
            Some(artifacts) if artifacts.state == ArtifactState::Sound && !artifacts.files.is_empty() => {
                match &artifacts.keeping {
                    Keeping::InPlace(directory) if Path::new(directory).is_absolute() => Some(PathBuf::from(directory)),
                    // Trying again would not help.
                    Keeping::InPlace(directory) => {
                        tracing::warn!(%model, version = %name, "{directory:?} is no whole path: no pointer leads there");
                        None
                    }
                    Keeping::Kept => {
                        self.link_version(model, name, &artifacts.files)?;
                        let place = self.layout.version(model, name);
                        Some(Path::new("..").join(place.strip_prefix(&self.layout.base).unwrap_or(&place)))
                    }
                }
            }
            // Imported with files that were gone already, or empty: nobody could load them.
            _ => None,
        })
    }

    fn set_pointer(&self, pointer: &Path, target: &Path) -> Result<(), ArtifactError> {
        let changed = |error| self.said_full(ArtifactError::io("change the pointer", pointer)(error));
        let room = self.layout.production();
        layout::make(&room).map_err(|error| self.said_full(error))?;
        match fs::read_link(pointer) {
            Ok(had) if had == target => {}
            // Not ours, so not ours to replace.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(changed(io::Error::other("there is something else than a symbolic link: move it away")));
            }
            _ => {
                let half =
                    room.join(format!(".{}.{}", pointer.file_name().unwrap_or_default().display(), layout::random()?));
                symlink(target, &half).map_err(changed)?;
                crate::failpoint!("deploy.half");
                if let Err(error) = fs::rename(&half, pointer) {
                    let _ = fs::remove_file(&half);
                    return Err(changed(error));
                }
                crate::failpoint!("deploy.renamed");
            }
        }
        // Also where nothing changed: it may have been the sync that failed the last time.
        layout::sync(&room)?;
        crate::failpoint!("deploy.synced");
        Ok(())
    }

    fn clear_pointer(&self, pointer: &Path) -> Result<(), ArtifactError> {
        if fs::read_link(pointer).is_ok() {
            remove(pointer)?;
            layout::sync(&self.layout.production())?;
        }
        Ok(())
    }

    /// Removes half-made pointers and directories. Pointers of models that this data file does not know stay.
    fn tidy_pointers(&self) -> Result<(), DeployError> {
        let _alone = self.deploying.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries(&self.layout.production())? {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link && entry.file_name().to_str().is_some_and(|name| name.starts_with('.')) {
                remove(&entry.path())?;
            }
        }
        self.tidy_versions()?;
        Ok(())
    }

    /// Removes what is left on disk of a version that was deleted: its directory, and content that nobody else uses.
    pub fn clear_deleted(&self, model: &ModelId, version: &VersionName) -> Result<(), SweepError> {
        {
            let _alone = self.deploying.lock().unwrap_or_else(PoisonError::into_inner);
            self.unlink_version(model, version)?;
        }
        self.collect()?;
        Ok(())
    }

    /// The pointer of a model, and where it leads now.
    pub fn pointer(&self, model: &Model) -> (PathBuf, Option<PathBuf>) {
        let pointer = self.layout.pointer(&model.id);
        let leads = fs::canonicalize(&pointer).ok();
        (pointer, leads)
    }
}
