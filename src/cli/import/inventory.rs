use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

use super::beneath::{Beneath, Kind};
use crate::domain::clm3::{FileReport, Outcome, Place, place};

/// The most files of a registry.
const MOST: usize = 200_000;

/// The registry's files by what they are, without having read any.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Those of training jobs.
    pub(super) jobs: Vec<String>,
    /// Those of each model: its versions' and its evaluations'.
    pub(super) models: BTreeMap<String, Vec<String>>,
    /// Those that will not be read, and why.
    pub(super) aside: Vec<FileReport>,
}

impl Inventory {
    /// Lists the registry.
    pub(super) fn of(root: &Beneath) -> anyhow::Result<Self> {
        let mut inventory = Self::default();
        let mut is_registry = false;
        for entry in root.list("").with_context(|| root.path.display().to_string())? {
            let path = entry.name;
            match (path.as_str(), entry.kind) {
                ("training_jobs", Kind::Directory) => inventory.files(root, &path)?,
                ("models" | "evaluations", Kind::Directory) => {
                    is_registry = true;
                    inventory.directories(root, &path)?;
                }
                (_, kind) => inventory.sort(path, kind),
            }
        }
        if !is_registry {
            let path = root.path.display();
            bail!(
                "{path} is no registry: it has no directory models, as the predecessor's has (CLM's data/clm_v3/registry)"
            );
        }
        Ok(inventory)
    }

    fn directories(&mut self, root: &Beneath, path: &str) -> anyhow::Result<()> {
        for entry in listed(root, path)? {
            let path = format!("{path}/{}", entry.name);
            match entry.kind {
                Kind::Directory => self.files(root, &path)?,
                kind => self.sort(path, kind),
            }
        }
        Ok(())
    }

    fn files(&mut self, root: &Beneath, path: &str) -> anyhow::Result<()> {
        for entry in listed(root, path)? {
            self.sort(format!("{path}/{}", entry.name), entry.kind);
        }
        let count = self.jobs.len() + self.aside.len() + self.models.values().map(Vec::len).sum::<usize>();
        if count > MOST {
            bail!("{} has more than {MOST} files: is it a registry?", root.path.display());
        }
        Ok(())
    }

    fn sort(&mut self, path: String, kind: Kind) {
        let aside = |path: &str, why: &str| FileReport::new(path, Outcome::Aside, vec![why.to_owned()]);
        match (kind, place(&path)) {
            (Kind::Link, _) => {
                self.aside.push(FileReport::not_taken(&path, "it is a symbolic link, which is not followed"));
            }
            (Kind::Directory, _) => self.aside.push(aside(&path, "a directory where the registry has none")),
            (Kind::Other, _) => self.aside.push(aside(&path, "no regular file, or its name is no text")),
            (Kind::File, Place::Job { .. }) => self.jobs.push(path),
            (Kind::File, Place::Version { model, .. } | Place::Evaluation { model, .. }) => {
                self.models.entry(model).or_default().push(path);
            }
            (Kind::File, Place::Aside(why)) => self.aside.push(aside(&path, why)),
        }
    }
}

fn listed(root: &Beneath, path: &str) -> anyhow::Result<Vec<super::beneath::Entry>> {
    root.list(path).with_context(|| root.path.join(path).display().to_string())
}
