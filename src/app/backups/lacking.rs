//! Files of models that a backup could not be given, in words that lead to the model: nobody knows one by its digest.

use super::Backups;
use crate::domain::backup::Manifest;
use crate::domain::model::Digest;
use crate::store::StoreError;

impl Backups {
    /// Which file a backup lacks first, and why; none where it has all.
    pub(super) fn first_lacking(&self, manifest: &Manifest) -> Option<String> {
        let first = manifest.lacking.first()?;
        // A data file that cannot be read has other alarms.
        let file = match self.file_of_a_model(&first.sha256) {
            Ok(Some(file)) => format!("{file} (SHA-256 {})", first.sha256),
            Ok(None) | Err(_) => format!("SHA-256 {}", first.sha256),
        };
        Some(format!("{file}: {}", first.why))
    }

    /// A version that has a file of this content, and what the file is called there.
    fn file_of_a_model(&self, sha256: &Digest) -> Result<Option<String>, StoreError> {
        for model in self.store.models()? {
            for version in self.store.versions_of(&model.id)? {
                let mut files = version.artifacts.iter().flat_map(|artifacts| &artifacts.files);
                if let Some(file) = files.find(|file| file.sha256 == *sha256) {
                    return Ok(Some(format!("{} of {} {}", file.path, version.model, version.name)));
                }
            }
        }
        Ok(None)
    }
}

/// So many, in words.
pub(super) fn files_of_models(count: u64) -> String {
    if count == 1 { "1 file of a model".to_owned() } else { format!("{count} files of models") }
}
