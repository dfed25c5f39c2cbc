use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::beneath::Beneath;
use crate::domain::clm3::{ArtifactRecord, Found};
use crate::domain::model::{ArtifactPath, Digest};

/// Where versions' files may be: the registry's own directory, and those that were named. A registry's file may name any
/// path; whoever wrote it shall not get another file of this machine into the registry by that, where everybody could read
/// it.
pub(super) struct Shelves {
    directories: Vec<Beneath>,
}

/// A file that was found.
pub(super) struct OnShelf {
    pub(super) file: File,
    pub(super) size: u64,
    /// Its whole path.
    pub(super) path: PathBuf,
}

impl Shelves {
    pub(super) fn of(named: &[PathBuf], registry: &Path) -> anyhow::Result<Self> {
        let directories = named.iter().map(PathBuf::as_path).chain([registry]);
        let open = |path: &Path| Beneath::of(path).with_context(|| path.display().to_string());
        Ok(Self { directories: directories.map(open).collect::<Result<_, _>>()? })
    }

    /// Looks for a file: where the registry says it is, and else under its own name.
    pub(super) fn find(&self, path: &str) -> Option<OnShelf> {
        let path = Path::new(path);
        let own = path.file_name().map(Path::new);
        for directory in &self.directories {
            let said = if path.is_absolute() { directory.relative(path) } else { Some(path) };
            for relative in said.into_iter().chain(own) {
                // Any errno is a file that cannot be sent.
                let Ok::<File, Errno>(file) = directory.file(relative) else { continue };
                let Ok(metadata) = file.metadata() else { continue };
                return Some(OnShelf { file, size: metadata.len(), path: directory.path.join(relative) });
            }
        }
        None
    }

    /// Fills in what is found of a version's file; what there is to say about it.
    pub(super) fn look_for(&self, artifact: &mut ArtifactRecord) -> Option<String> {
        let found = self.find(&artifact.path)?;
        let is_plain = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
            (plain && name.parse::<ArtifactPath>().is_ok()).then_some(())
        };
        let (Some(at), Some(())) = (found.path.to_str(), is_plain(&found.path)) else {
            return Some("use A-Z a-z 0-9 . _ - in the name of its file: it is not sent".to_owned());
        };
        artifact.at = Some(at.to_owned());
        if found.size == 0 {
            artifact.found = Found::Empty;
            return None;
        }
        if let Some(expected) = artifact.sha256 {
            match digest(found.file) {
                Ok(digest) if digest == expected => {}
                Ok(digest) => {
                    return Some(format!("its file {at} is not what it was: SHA-256 {digest}, not {expected}"));
                }
                Err(error) => return Some(format!("its file {at} cannot be read: {error}")),
            }
        }
        artifact.found = Found::There;
        let other = artifact.size.filter(|&size| size != found.size && artifact.sha256.is_none());
        other.map(|size| format!("its file {at} has {} bytes, and had {size} when it was registered", found.size))
    }
}

fn digest(mut file: File) -> io::Result<Digest> {
    file.rewind()?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest(sha.finalize().into())),
            read => sha.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
