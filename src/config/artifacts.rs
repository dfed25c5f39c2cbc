use std::path::PathBuf;

use super::key::{Key, key};
use super::value::{self, Item, ListOf};

/// `[artifacts]`
#[derive(Clone, Debug, PartialEq)]
pub struct Artifacts {
    /// The largest file of a version.
    pub max_file: u64,
    /// What the files of one version may take together.
    pub max_version: u64,
    /// Directories that files may be registered in place in, or below. Whoever may read the registry may read them.
    pub in_place: Vec<PathBuf>,
}

impl Default for Artifacts {
    fn default() -> Self {
        Self { max_file: 8 << 30, max_version: 32 << 30, in_place: Vec::new() }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            artifacts.max_file,
            value::Size,
            size,
            "The largest file of a model's version that is taken in, at least 1KiB: \"500MiB\", \"8GiB\"."
        ),
        key!(
            artifacts.max_version,
            value::Size,
            size,
            "Bytes that the files of one version may take together, at least 1KiB."
        ),
        key!(
            artifacts.in_place,
            ListOf<PathBuf>,
            value::anything,
            "Directories in and below which files may be registered where they are, such as \"/srv/models\"; whoever may look at models may download them then. None: every file is taken in."
        ),
    ]
}

impl Item for PathBuf {
    fn parse(word: &str) -> Result<Self, String> {
        let path = Self::from(word);
        if path.is_absolute() && !word.contains('\0') {
            Ok(path)
        } else {
            Err(format!("{word:?} is no whole path: write it from /, such as \"/srv/models\""))
        }
    }

    fn show(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

fn size(bytes: &u64) -> Result<(), String> {
    if *bytes < 1 << 10 { Err("must be at least 1KiB".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Codec as _;

    #[test]
    fn directories_are_named_by_their_whole_path() {
        let read = ListOf::<PathBuf>::text("/srv/models, /opt/m");
        assert_eq!(read, Ok(vec![PathBuf::from("/srv/models"), PathBuf::from("/opt/m")]));
        assert!(ListOf::<PathBuf>::text("models").unwrap_err().contains("whole path"));
    }
}
