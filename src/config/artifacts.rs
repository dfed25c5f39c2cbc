use super::key::{Key, key};
use super::value;

/// `[artifacts]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Artifacts {
    /// The largest file of a version.
    pub max_file: u64,
    /// What the files of one version may take together.
    pub max_version: u64,
}

impl Default for Artifacts {
    fn default() -> Self {
        Self { max_file: 8 << 30, max_version: 32 << 30 }
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
    ]
}

fn size(bytes: &u64) -> Result<(), String> {
    if *bytes < 1 << 10 { Err("must be at least 1KiB".into()) } else { Ok(()) }
}
