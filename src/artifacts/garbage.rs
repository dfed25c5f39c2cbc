use std::collections::BTreeSet;
use std::path::Path;
use std::sync::PoisonError;
use std::{fs, io};

use super::{ArtifactError, Directory, layout};
use crate::domain::model::Digest;
use crate::store::StoreError;

/// What a start found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leftovers of uploads that broke off: removed.
    pub leftovers: usize,
    /// Files that no version uses any more: removed.
    pub unused: usize,
    /// Files that versions use.
    pub used: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that versions use and that are not there.
    pub missing: Vec<Digest>,
    /// Files that this data file knows nothing of: left alone.
    pub unknown: usize,
}

impl Directory {
    /// Removes what an end in the middle of something left behind, and looks whether everything else is there. At the
    /// start, before anything is taken in.
    pub fn sweep(&self) -> Result<Swept, SweepError> {
        let mut swept = Swept::default();
        for entry in entries(&self.layout.incoming())? {
            let Some(placed) = entry.file_name().to_str().and_then(leftover) else { continue };
            if let Some(digest) = placed {
                // It may have got its place without the commit that names it.
                self.remove_unused(&digest)?;
            }
            remove(&entry.path())?;
            swept.leftovers += 1;
        }
        swept.leftovers += self.sweep_partials()?;
        swept.unused = self.collect()?;
        let rows = self.store.artifacts()?;
        for (digest, artifact) in rows.iter().filter(|(_, artifact)| artifact.uses > 0) {
            swept.used += 1;
            swept.bytes += artifact.size;
            if !self.layout.content(digest).is_file() {
                swept.missing.push(*digest);
            }
        }
        let known: BTreeSet<_> = rows.into_iter().map(|(digest, _)| self.layout.content(&digest)).collect();
        for shelf in entries(&self.layout.contents())? {
            if shelf.file_type().is_ok_and(|kind| kind.is_dir()) {
                swept.unknown += entries(&shelf.path())?.iter().filter(|file| !known.contains(&file.path())).count();
            }
        }
        Ok(swept)
    }

    /// Removes the files that no version uses any more; how many there were. After every deletion.
    pub fn collect(&self) -> Result<usize, SweepError> {
        let mut removed = 0;
        for (digest, artifact) in self.store.artifacts()? {
            if artifact.uses == 0 {
                self.remove_unused(&digest)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes a file, unless a version uses it.
    pub(super) fn remove_unused(&self, digest: &Digest) -> Result<(), ArtifactError> {
        let _alone = self.keeping.write().unwrap_or_else(PoisonError::into_inner);
        let path = self.layout.content(digest);
        let told = |error: StoreError| ArtifactError::io("find out who uses", &path)(io::Error::other(error));
        let row = self.store.artifact(digest).map_err(told)?;
        if row.is_some_and(|artifact| artifact.uses > 0) {
            return Ok(());
        }
        remove(&path)?;
        if row.is_some() {
            // The name is gone for good before the row is: what has no row is nobody's to remove.
            path.parent().map_or(Ok(()), layout::sync)?;
            self.store.write(|txn| txn.forget_artifact(digest)).map_err(told)?;
        }
        Ok(())
    }
}

/// Why the directory could not be looked through.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The directory.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a name in `incoming` says, if it is one of ours: the digest, where the file was whole.
fn leftover(name: &str) -> Option<Option<Digest>> {
    let (random, digest) = name.split_once('.').map_or((name, None), |(random, digest)| (random, Some(digest)));
    let ours = random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digest.map(str::parse) {
        _ if !ours => None,
        None => Some(None),
        Some(digest) => digest.ok().map(Some),
    }
}

/// What is in a directory; nothing where it does not exist.
pub(super) fn entries(directory: &Path) -> Result<Vec<fs::DirEntry>, ArtifactError> {
    let looked = |error| ArtifactError::io("look into", directory)(error);
    match fs::read_dir(directory) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(looked),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(looked(error)),
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), ArtifactError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ArtifactError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
