//! Copies of the backup's files, compared with what the manifest says of them while they are read.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::request::{RestoreError, RestoreRequest};
use crate::artifacts::content_path;
use crate::backup::files::{self, Hashing};
use crate::backup::held::HeldDirectory;
use crate::backup::layout::Place;
use crate::backup::seal;
use crate::domain::backup::{KeptArtifact, Manifest};
use crate::domain::model::Digest;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// A name in a directory.
pub(super) type At<'a> = (&'a HeldDirectory, &'static str);

/// The models' files that a backup names, as they are beside the data file.
pub(super) struct Models<'a> {
    /// How many are there with their content.
    pub(super) there: u64,
    /// The others.
    pub(super) missing: Vec<&'a KeptArtifact>,
}

/// Looks which models' files are in their places. They are read in full: one that is damaged is missing.
pub(super) fn models<'a>(manifest: &'a Manifest, beside: &HeldDirectory) -> Result<Models<'a>, RestoreError> {
    let mut found = Models { there: 0, missing: Vec::new() };
    for artifact in &manifest.artifacts {
        if holds(beside, artifact)? {
            found.there += 1;
        } else {
            found.missing.push(artifact);
        }
    }
    Ok(found)
}

fn holds(beside: &HeldDirectory, artifact: &KeptArtifact) -> Result<bool, RestoreError> {
    // Beneath the directory, whatever the data file is called.
    let path = content_path(Path::new("data"), &artifact.sha256);
    let (shelf, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
    let shelf = match beside.below(shelf) {
        Ok(shelf) => shelf,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(RestoreError::io("open", beside.shown().join(shelf))(error)),
    };
    // What cannot be read is as good as damaged, be it a sector, be it a link.
    let Ok(mut file) = shelf.file(name) else { return Ok(false) };
    let mut read = Hashing::new(io::sink());
    Ok(files::copy(&mut file, &mut read).is_ok() && read.finish() == (artifact.size, artifact.sha256))
}

/// Copies the data file of the backup to `to`, decrypted, and on the disk.
pub(super) fn copy_data(request: &RestoreRequest<'_>, manifest: &Manifest, to: At<'_>) -> Result<(), RestoreError> {
    let from = request.backup.join(&manifest.data.name);
    let sealed = !manifest.recipients.is_empty();
    bring(request, &from, sealed, to, manifest.data.plain_sha256)
}

/// Copies a model's file of the backup to `to`, decrypted, and on the disk.
pub(super) fn copy_model(
    request: &RestoreRequest<'_>,
    artifact: &KeptArtifact,
    to: At<'_>,
) -> Result<(), RestoreError> {
    let from = Place::around(request.backup).artifacts().join(&artifact.stored_name);
    let sealed = artifact.stored_name.ends_with(crate::backup::layout::SEALED);
    bring(request, &from, sealed, to, artifact.sha256)
}

fn bring(
    request: &RestoreRequest<'_>,
    from: &Path,
    sealed: bool,
    to: At<'_>,
    expected: Digest,
) -> Result<(), RestoreError> {
    let mut source = File::open(from).map_err(RestoreError::io("read", from))?;
    let (directory, name) = to;
    let to = &directory.shown().join(name);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(directory.path(name));
    let file = made.map_err(RestoreError::io("make", to))?;
    let mut written = BufWriter::with_capacity(PIECE, file);
    let mut hashing = Hashing::new(&mut written);
    match (sealed, request.identity) {
        (false, _) => files::copy(&mut source, &mut hashing).map_err(RestoreError::io("copy to", to))?,
        (true, Some(identity)) => {
            let mut source = BufReader::with_capacity(PIECE, source);
            let opened = seal::open(&mut source, &mut hashing, identity);
            opened.map_err(|source| RestoreError::Seal { path: from.to_owned(), source })?;
        }
        (true, None) => {
            let path: PathBuf = from.to_owned();
            return Err(RestoreError::NoBackup { path, why: "it is encrypted, and no private key was given".into() });
        }
    }
    let (_, found) = hashing.finish();
    let written = written.into_inner().map_err(io::IntoInnerError::into_error);
    written.and_then(|file| file.sync_all()).map_err(RestoreError::io("write", to))?;
    if found == expected { Ok(()) } else { Err(RestoreError::Digest { path: from.to_owned(), expected, found }) }
}
