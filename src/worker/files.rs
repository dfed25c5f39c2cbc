//! A version's files on their way: to the daemon after training, from it for an evaluation elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::answer;
use super::daemon::{Daemon, Trouble};
use super::place::{self, JobPlace};
use crate::domain::job::{Assignment, Program};
use crate::domain::model::{ArtifactPath, Digest};

/// Why a file did not go.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileTrouble {
    /// The daemon.
    #[error(transparent)]
    Daemon(#[from] Trouble),
    /// It is not there (any more), or cannot be kept here.
    #[error("{0}")]
    Here(String),
}

/// Sends one of the files that `train` left.
pub(super) async fn send(
    daemon: &Daemon,
    place: &JobPlace,
    assignment: &Assignment,
    path: &str,
    digest: &Digest,
) -> Result<(), FileTrouble> {
    let (work, name) = (place.work(Program::Train), path.to_owned());
    let opened = tokio::task::spawn_blocking(move || answer::open(&work, &name)).await;
    let file = match opened {
        Ok(Ok(file)) => file,
        Ok(Err(bad)) => return Err(FileTrouble::Here(format!("{path}, which the program left, {bad}"))),
        Err(error) => return Err(FileTrouble::Here(error.to_string())),
    };
    Ok(daemon.send(assignment.job, assignment.epoch, path, digest, &file).await?)
}

/// The directory with the version's files for an evaluation: that of `train` if it left them here, or one that they are
/// fetched into.
pub(super) async fn bring(daemon: &Daemon, place: &JobPlace, assignment: &Assignment) -> Result<PathBuf, FileTrouble> {
    let wanted = assignment.request.artifacts.clone();
    let trained = place.work(Program::Train);
    let (looked, files) = (trained.clone(), wanted.clone());
    if is_whole(looked, files).await {
        return Ok(trained);
    }
    let fetched = place.fetched();
    for (path, digest) in wanted {
        let parsed: ArtifactPath =
            path.parse().map_err(|error| FileTrouble::Here(format!("the daemon names the file {path:?}: {error}")))?;
        let (looked, one) = (fetched.clone(), BTreeMap::from([(path.clone(), digest)]));
        if is_whole(looked, one).await {
            continue;
        }
        let here = |error: io::Error| FileTrouble::Here(format!("{path} cannot be kept: {error}"));
        let target = fetched.join(parsed.as_str());
        place::make(target.parent().unwrap_or(Path::new("/"))).map_err(here)?;
        // A half one is one that has another digest: it is fetched anew.
        let mut file = File::create(&target).map_err(here)?;
        daemon.fetch(assignment.job, assignment.epoch, &path, &mut file).await?;
        let (looked, one) = (fetched.clone(), BTreeMap::from([(path.clone(), digest)]));
        if !is_whole(looked, one).await {
            return Err(FileTrouble::Here(format!("{path} came otherwise than the daemon announced it")));
        }
    }
    Ok(fetched)
}

/// Whether every file is there with its content.
async fn is_whole(directory: PathBuf, files: BTreeMap<String, Digest>) -> bool {
    let look = move || {
        files.iter().all(|(path, digest)| {
            let path: Result<ArtifactPath, _> = path.parse();
            path.is_ok_and(|path| answer::digest(&directory, &path).is_ok_and(|found| found == *digest))
        })
    };
    tokio::task::spawn_blocking(look).await.unwrap_or(false)
}
