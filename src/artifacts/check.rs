use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::io::Errno;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Directory, beneath};
use crate::domain::model::{ArtifactFile, ArtifactPath, Artifacts, Digest, Keeping};

/// How a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// With the content that it had.
    Ok,
    /// With other content.
    Damaged,
    /// Not at all.
    Missing,
    /// It is there and cannot be read.
    Unreadable,
}

/// What a check of one file found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileCheck {
    /// The file.
    pub path: ArtifactPath,
    /// How it was found.
    pub state: FileState,
    /// What is wrong with it, in words.
    pub why: Option<String>,
}

impl Directory {
    /// Reads every file of a version again, in constant memory.
    pub fn check(&self, artifacts: &Artifacts) -> Vec<FileCheck> {
        artifacts.files.iter().map(|file| self.check_file(&artifacts.keeping, file)).collect()
    }

    fn check_file(&self, keeping: &Keeping, file: &ArtifactFile) -> FileCheck {
        let found = |state, why| FileCheck { path: file.path.clone(), state, why };
        let opened = match self.open_raw(keeping, file) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return found(FileState::Missing, Some("it is not there".to_owned())),
            Err(errno) => {
                let directory = match keeping {
                    Keeping::InPlace(directory) => Path::new(directory).to_owned(),
                    Keeping::Kept => self.layout.contents(),
                };
                let why = beneath::unusable(&directory, &file.path, errno).to_string();
                return found(FileState::Unreadable, Some(why));
            }
        };
        match opened.metadata() {
            // Another file altogether may be there by now, and larger than any that would be taken: it is not read.
            Ok(metadata) if metadata.len() != file.size => {
                let why = format!("it has {} bytes and should have {}", metadata.len(), file.size);
                return found(FileState::Damaged, Some(why));
            }
            Ok(_) => {}
            Err(error) => return found(FileState::Unreadable, Some(error.to_string())),
        }
        match digest(&opened, file.size) {
            Ok((size, _)) if size > file.size => {
                found(FileState::Damaged, Some(format!("it has more than {} bytes", file.size)))
            }
            Ok((_, digest)) if digest == file.sha256 => found(FileState::Ok, None),
            Ok((size, digest)) => {
                let why = format!(
                    "it has {size} bytes with the SHA-256 {digest} and should have {} with {}",
                    file.size, file.sha256
                );
                found(FileState::Damaged, Some(why))
            }
            Err(error) => found(FileState::Unreadable, Some(error.to_string())),
        }
    }
}

/// Size and digest of what a file holds. At most one byte more than `most` is read, which shows that there is more.
pub fn digest(file: &File, most: u64) -> io::Result<(u64, Digest)> {
    let mut file = file.take(most.saturating_add(1));
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok((size, Digest(hash.finalize().into()))),
            Ok(read) => {
                hash.update(&chunk[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
