use std::collections::BTreeMap;
use std::sync::Arc;

use quantum_clm::app::registry::{Ask, ModelImport, Registry, Undeployed};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::clm3::{File, ModelRecord, Outcome, Place, Planned, jobs, model, place};
use quantum_clm::domain::model::{EvaluationId, ModelId};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::store::Store;

use crate::support::clm3::Files;

/// A registry in this process.
pub(super) struct Bed {
    pub(super) registry: Registry,
    pub(super) store: Arc<Store>,
    _directory: tempfile::TempDir,
}

/// The instant of an import, some months after everything that is imported.
pub(super) fn at(hours: u64) -> Micros {
    let start: Micros = "2026-09-01T00:00:00Z".parse().unwrap();
    start.plus(hours * Micros::HOUR)
}

pub(super) fn ask(now: Micros) -> Ask {
    let actor = Actor::local("root");
    Ask { actor, grant: Grant::Role(Role::Admin), now, key: None, expected: None }
}

/// What files say, by model.
pub(super) fn records(files: &Files) -> Vec<Planned> {
    let file = |(path, bytes): (&String, &Vec<u8>)| File { path: path.clone(), content: Ok(bytes.clone()) };
    let (jobs, _) = jobs(files.iter().map(file));
    let mut models: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for (path, bytes) in files {
        if let Place::Version { model, .. } | Place::Evaluation { model, .. } = place(path) {
            models.entry(model).or_default().push(file((path, bytes)));
        }
    }
    models.into_iter().map(|(directory, files)| model(&directory, files, &jobs)).collect()
}

impl Bed {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("q.redb")).unwrap());
        let registry = Registry::new(store.clone(), &Config::default(), Box::new(Undeployed));
        Self { registry, store, _directory: directory }
    }

    /// Imports what can be read of files.
    pub(super) fn import(&self, files: &Files, now: Micros) -> Vec<ModelImport> {
        records(files).into_iter().filter_map(|planned| planned.record).map(|record| self.take(&record, now)).collect()
    }

    pub(super) fn take(&self, record: &ModelRecord, now: Micros) -> ModelImport {
        self.registry.import(&ask(now), record, false).unwrap()
    }

    /// Everything that is stored of models, and how long the audit log and the outbox are.
    pub(super) fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for model in self.store.models().unwrap() {
            state.push(format!("{model:?}"));
            state.extend(self.store.versions_of(&model.id).unwrap().iter().map(|version| format!("{version:?}")));
            self.store
                .read(|txn| {
                    let history = txn.model_history(&model.id, u64::MAX, usize::MAX)?;
                    state.extend(history.iter().map(|entry| format!("{entry:?}")));
                    state.extend(txn.reigns(&model.id, usize::MAX)?.iter().map(|reign| format!("{reign:?}")));
                    txn.walk_evaluations(&model.id, EvaluationId(u64::MAX), |evaluation| {
                        state.push(format!("{evaluation:?}"));
                        Ok(true)
                    })
                })
                .unwrap();
        }
        state.push(format!("{} messages", self.store.committed().borrow().outbox));
        state.push(format!("{} audit records", self.audit()));
        state
    }

    pub(super) fn audit(&self) -> usize {
        self.store.audit(&Default::default(), u64::MAX, 100_000).unwrap().0.len()
    }

    /// Names of a model's versions that are here.
    pub(super) fn versions(&self, model: &str) -> Vec<String> {
        let id: ModelId = model.parse().unwrap();
        self.store.versions_of(&id).unwrap().iter().map(|version| version.name.to_string()).collect()
    }

    /// What was in production at an instant.
    pub(super) fn production_at(&self, model: &str, when: &str) -> Option<String> {
        let id: ModelId = model.parse().unwrap();
        let reign = self.store.read(|txn| txn.production_at(&id, when.parse().unwrap())).unwrap();
        reign.map(|reign| reign.version.to_string())
    }
}

/// How many files became what.
pub(super) fn count(answers: &[ModelImport], outcome: Outcome) -> usize {
    answers.iter().flat_map(|answer| &answer.files).filter(|file| file.outcome == outcome).count()
}
