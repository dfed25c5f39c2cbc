use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{durable, name};
use crate::domain::job::Resources;

/// What a running program takes, some seconds ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of memory, of it and everything that it started.
    pub memory: u64,
    /// Its processes and threads.
    pub tasks: u32,
    /// What it took so far.
    pub resources: Resources,
}

impl Usage {
    pub(super) fn read(directory: &Path) -> Option<Self> {
        durable::read(&directory.join(name::USAGE)).ok().flatten()
    }

    /// For those who are curious: what cannot be written is not.
    pub(super) fn write(&self, directory: &Path) {
        let _ = durable::replace(&directory.join(name::USAGE), self);
    }
}
