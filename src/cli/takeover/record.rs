//! What was done, so that a run that broke off goes on and the way back is known: one file, of root's.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::machine::Unit;

/// Below the root of the machine.
pub(super) const DIRECTORY: &str = "var/lib/quantum-clm-takeover";

/// What an undo has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// The predecessor's units as they were found.
    pub(super) units: Vec<Unit>,
    /// The unit file that was moved: from where, to where.
    pub(super) moved: Option<(PathBuf, PathBuf)>,
    /// Our units that were enabled and started.
    pub(super) started: Vec<String>,
    /// A sentence for each step that was done.
    pub(super) steps: Vec<String>,
    /// Whether the end was reached.
    pub(super) finished: bool,
    /// The data file, and the stream: the way back must be open where the configuration cannot be read any more.
    pub(super) data_file: Option<PathBuf>,
    pub(super) stream: Option<String>,
    /// The commands of the way back that an undo has done, should it break off.
    pub(super) undone: Vec<String>,
}

impl Record {
    /// What an earlier run left; an empty one where there was none.
    pub(super) fn load(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("record.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Keeps it: whole or not at all, and on the disk before what it speaks of is done.
    pub(super) fn save(&self, directory: &Path) -> anyhow::Result<()> {
        let (path, new) = (directory.join("record.json"), directory.join("record.json.new"));
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(directory)?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether anything on the machine was changed, or may have been.
    pub(super) fn has_changes(&self) -> bool {
        !self.units.is_empty() || self.moved.is_some() || !self.started.is_empty()
    }

    /// Remembers how a unit was before it is changed for the first time.
    pub(super) fn remember(&mut self, unit: &Unit) {
        if !self.units.iter().any(|known| known.name == unit.name) {
            self.units.push(unit.clone());
        }
    }

    /// Forgets what was undone.
    pub(super) fn clear(directory: &Path) -> anyhow::Result<()> {
        let path = directory.join("record.json");
        match fs::remove_file(&path) {
            Ok(()) => Ok(fs::File::open(directory)?.sync_all()?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
}
