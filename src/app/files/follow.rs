use std::sync::Arc;

use crate::app::App;
use crate::app::registry::Deployment;
use crate::artifacts::{Deployed, Deployments, Directory, FileState, SweepError, Swept};
use crate::domain::model::{Keeping, ModelId, Version, VersionName};
use crate::observe::status::Reporter;
use crate::store::Store;

/// What the registry has follow its commits.
pub(in crate::app) struct Following {
    pub(in crate::app) store: Arc<Store>,
    pub(in crate::app) deployments: Arc<Deployments>,
    pub(in crate::app) directory: Arc<Directory>,
}

impl Deployment for Following {
    fn reconcile(&self, model: &ModelId) -> Option<String> {
        // What fails is on the board, too, and tried again.
        match self.deployments.reconcile(model) {
            Ok(deployed) if !deployed.is_there && deployed.version.is_some() => {
                Some("it has no files that can be used, so there is nothing for the pointer to lead to".to_owned())
            }
            // A rollback is always possible; that it leads to what is not whole is said.
            Ok(Deployed { version: Some(version), .. }) => {
                let version = self.store.version(model, &version).ok().flatten()?;
                self.lacks(&version)
            }
            Ok(_) => None,
            Err(error) => Some(format!("the production pointer is not up to date yet: {error}")),
        }
    }

    fn lacks(&self, version: &Version) -> Option<String> {
        self.directory.lacks(version.artifacts.as_ref()?).map(|error| error.to_string())
    }

    fn altered(&self, version: &Version) -> Option<String> {
        let artifacts = version.artifacts.as_ref().filter(|artifacts| artifacts.keeping != Keeping::Kept)?;
        let found = self.directory.check(artifacts).into_iter().find(|file| file.state != FileState::Ok)?;
        Some(format!("{}: {}", found.path, found.why.unwrap_or_default()))
    }

    fn deleted(&self, model: &ModelId, version: &VersionName) {
        if let Err(error) = self.directory.clear_deleted(model, version) {
            tracing::warn!(%model, %version, "files of a deleted version are still there: {error}; the next start removes them");
        }
    }
}

/// What a start does before anybody asks: what an end in the middle of something left behind is put in order, and the
/// production pointers say what the data file says.
pub fn start(app: &App) {
    let reporter = app.board.reporter("artifacts");
    match app.files.directory.sweep() {
        Ok(swept) => {
            reporter.figure("files", swept.used as u64);
            reporter.figure("bytes", swept.bytes);
            reporter.figure("missing", swept.missing.len() as u64);
            reporter.figure("unknown", swept.unknown as u64);
            if let Some(first) = swept.missing.first() {
                reporter.warn(
                    format!("{} files of versions are missing, {first} among them", swept.missing.len()),
                    "restore them from a backup into artifacts/sha256 beside the data file; POST \
                     /api/models/<model>/versions/<version>/verify says whose they are",
                );
            } else {
                reporter.ok("every file of every version is there");
            }
            if swept.leftovers + swept.unused > 0 {
                let Swept { leftovers, unused, .. } = swept;
                tracing::info!(leftovers, unused, "files that no version uses were removed");
            }
            if swept.unknown > 0 {
                tracing::warn!(
                    unknown = swept.unknown,
                    "there are files in artifacts/sha256 that this data file knows nothing of; they are left alone"
                );
            }
        }
        Err(error) => cannot(&reporter, &error),
    }
    if let Err(error) = app.deployments.reconcile_all() {
        tracing::error!("the production pointers could not be looked at: {error}");
    }
}

fn cannot(reporter: &Reporter, error: &SweepError) {
    reporter.failed(
        format!("the models' files could not be looked through: {error}"),
        "mend the rights of artifacts/ beside the data file, and restart",
    );
}
