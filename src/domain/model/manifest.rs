use super::{
    ArtifactFile, ArtifactPath, ArtifactState, Artifacts, Digest, Keeping, Origin, Stage, Version, VersionName,
};

/// The most files of a version.
pub const FILES_MOST: usize = 1_000;

/// What became of a file that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is new.
    New,
    /// It was there already, with the same content.
    Same,
}

/// Why a version does not take a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The path is taken.
    #[error(
        "{path} is there already with other content (sha256 {had}): a file is not replaced; register a new version"
    )]
    Taken {
        /// Which.
        path: ArtifactPath,
        /// What it holds.
        had: Digest,
    },
    /// One path would be a file and a directory.
    #[error("{0} cannot be a file and a directory at once")]
    FileAndDirectory(ArtifactPath),
    /// There are enough.
    #[error("a version has at most {FILES_MOST} files: put them into an archive")]
    TooMany,
    /// They are large enough.
    #[error(
        "the files of a version may take {limit} bytes together (artifacts.max_version), and these would take {size}"
    )]
    TooLarge {
        /// What may be.
        limit: u64,
        /// What would be.
        size: u64,
    },
    /// What was tried stays what it was.
    #[error(
        "version {0} has left training: what is said of it is said of the files that it has; register a new version"
    )]
    Frozen(VersionName),
    /// What an import did not find.
    #[error("version {0} was imported without its file: an admin may send that, which the import does by itself")]
    Lost(VersionName),
    /// All or none are in place.
    #[error("version {0} has files already: register its files in place all at once, or take all of them in")]
    HasFiles(VersionName),
    /// They are elsewhere.
    #[error("its files are registered in place, in {0}: they are not mixed with files that are taken in")]
    InPlace(String),
}

impl Version {
    /// Takes a file into the manifest, as [`Artifacts::add`] does; a new one only while the version is in training.
    pub fn take_file(&mut self, file: ArtifactFile, limit: u64) -> Result<Added, ManifestError> {
        let mut artifacts = self.artifacts.clone().unwrap_or_else(Artifacts::kept);
        if artifacts.state == ArtifactState::Gone {
            return Err(ManifestError::Lost(self.name.clone()));
        }
        let added = artifacts.add(file, limit)?;
        if added == Added::New && self.stage != Stage::Training {
            return Err(ManifestError::Frozen(self.name.clone()));
        }
        self.artifacts = Some(artifacts);
        Ok(added)
    }

    /// Whether it was imported without its file, which may then still come, wherever the version stands.
    pub fn awaits_file(&self) -> bool {
        let is_without = |artifacts: &Artifacts| artifacts.state == ArtifactState::Gone;
        matches!(self.provenance.origin, Origin::Import(_)) && self.artifacts.as_ref().is_none_or(is_without)
    }

    /// Takes the file that it was imported without. That is for an admin: it may be in production, and was tried elsewhere.
    pub fn take_awaited_file(&mut self, file: ArtifactFile, limit: u64) -> Result<Added, ManifestError> {
        let mut artifacts = Artifacts::kept();
        let added = artifacts.add(file, limit)?;
        self.artifacts = Some(artifacts);
        Ok(added)
    }

    /// Takes files that are registered in place: all of the version's at once, and only while it is in training, or where
    /// it was imported without.
    pub fn take_in_place(&mut self, artifacts: Artifacts) -> Result<Added, ManifestError> {
        match &self.artifacts {
            Some(had) if *had == artifacts => return Ok(Added::Same),
            _ if self.awaits_file() => {}
            Some(_) => return Err(ManifestError::HasFiles(self.name.clone())),
            None if self.stage != Stage::Training => return Err(ManifestError::Frozen(self.name.clone())),
            None => {}
        }
        self.artifacts = Some(artifacts);
        Ok(Added::New)
    }
}

impl Artifacts {
    /// Files that are taken in, none so far.
    pub fn kept() -> Self {
        Self { keeping: Keeping::Kept, state: ArtifactState::Sound, files: Vec::new() }
    }

    /// The file at `path`.
    pub fn file(&self, path: &ArtifactPath) -> Option<&ArtifactFile> {
        self.files.binary_search_by(|file| file.path.cmp(path)).ok().map(|at| &self.files[at])
    }

    /// Takes a file into the manifest, which stays in the order of paths; `limit` is for the bytes of all.
    pub fn add(&mut self, file: ArtifactFile, limit: u64) -> Result<Added, ManifestError> {
        if let Keeping::InPlace(directory) = &self.keeping {
            return Err(ManifestError::InPlace(directory.clone()));
        }
        let at = match self.files.binary_search_by(|had| had.path.cmp(&file.path)) {
            Ok(at) if self.files[at].sha256 == file.sha256 => return Ok(Added::Same),
            Ok(at) => return Err(ManifestError::Taken { path: file.path, had: self.files[at].sha256 }),
            Err(at) => at,
        };
        let clash = |had: &&ArtifactFile| had.path.is_above(&file.path) || file.path.is_above(&had.path);
        if let Some(had) = self.files.iter().find(clash) {
            let above = if had.path.is_above(&file.path) { &had.path } else { &file.path };
            return Err(ManifestError::FileAndDirectory(above.clone()));
        }
        if self.files.len() >= FILES_MOST {
            return Err(ManifestError::TooMany);
        }
        let size = self.size().saturating_add(file.size);
        if size > limit {
            return Err(ManifestError::TooLarge { limit, size });
        }
        if file.size == 0 {
            self.state = ArtifactState::Empty;
        }
        self.files.insert(at, file);
        Ok(Added::New)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: u8, size: u64) -> ArtifactFile {
        ArtifactFile { path: path.parse().unwrap(), size, sha256: Digest([content; 32]) }
    }

    #[test]
    fn in_order_once_and_never_replaced() {
        let mut artifacts = Artifacts::kept();
        for (path, content, expected) in [
            ("b", 1, Ok(Added::New)),
            ("a/x", 2, Ok(Added::New)),
            ("b", 1, Ok(Added::Same)),
            ("b", 9, Err(ManifestError::Taken { path: "b".parse().unwrap(), had: Digest([1; 32]) })),
            ("a", 3, Err(ManifestError::FileAndDirectory("a".parse().unwrap()))),
            ("b/c", 3, Err(ManifestError::FileAndDirectory("b".parse().unwrap()))),
            ("a/y", 1, Ok(Added::New)),
        ] {
            assert_eq!(artifacts.add(file(path, content, 10), 30), expected, "{path}");
        }
        let paths: Vec<_> = artifacts.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/x", "a/y", "b"]);
        assert!(artifacts.file(&"a/y".parse().unwrap()).is_some() && artifacts.file(&"c".parse().unwrap()).is_none());
        let too_large = ManifestError::TooLarge { limit: 30, size: 31 };
        assert_eq!(artifacts.add(file("c", 4, 1), 30), Err(too_large));
        assert_eq!(artifacts.state, ArtifactState::Sound);
        artifacts.add(file("d", 4, 0), 30).unwrap();
        assert_eq!(artifacts.state, ArtifactState::Empty);
    }

    #[test]
    fn not_endless_and_not_in_two_places() {
        let mut artifacts = Artifacts::kept();
        for number in 0..FILES_MOST {
            artifacts.add(file(&number.to_string(), 1, 1), u64::MAX).unwrap();
        }
        assert_eq!(artifacts.add(file("one more", 1, 1), u64::MAX), Err(ManifestError::TooMany));
        let mut elsewhere = Artifacts { keeping: Keeping::InPlace("/srv/m".into()), ..Artifacts::kept() };
        assert_eq!(elsewhere.add(file("a", 1, 1), u64::MAX), Err(ManifestError::InPlace("/srv/m".into())));
    }
}
