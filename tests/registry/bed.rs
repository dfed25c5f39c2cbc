use std::collections::BTreeMap;
use std::sync::Arc;

use quantum_clm::app::registry::{
    Ask, Expected, Judged, NewVersion, Promoted, Registered, Registry, RegistryError, Undeployed,
};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant, acting_token};
use quantum_clm::domain::bus::BusEvent;
use quantum_clm::domain::model::{
    ArtifactFile, DataWindow, Digest, HistoryEntry, ModelId, ModelStatus, Origin, Provenance, Step, VersionName,
};
use quantum_clm::domain::performance::EvaluationInput;
use quantum_clm::domain::request_key::RequestKey;
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::store::Store;
use serde_json::json;

/// 2026-06-01T00:00:00Z: after the days of every test's returns.
pub(crate) const NOW: Micros = Micros(1_780_272_000_000_000);

pub(crate) const MODEL: &str = "xgboost_btcusdt_1h";

/// Why somebody forces something, at the length that it takes.
pub(crate) const FORCED: &str = "the exchange changed its fees tonight";

pub(crate) struct Bed {
    pub(crate) store: Arc<Store>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: Config,
    _directory: tempfile::TempDir,
}

pub(crate) fn model() -> ModelId {
    MODEL.parse().unwrap()
}

pub(crate) fn name(text: &str) -> VersionName {
    text.parse().unwrap()
}

/// Somebody with a role asks, at [`NOW`] and under no terms.
pub(crate) fn ask(who: &str, role: Role) -> Ask {
    Ask {
        actor: if acting_token(who).is_some() {
            Actor::token(who, "192.0.2.7")
        } else {
            Actor::person(who, "192.0.2.7")
        },
        grant: Grant::Role(role),
        now: NOW,
        key: None,
        expected: None,
    }
}

pub(crate) fn anna() -> Ask {
    ask("anna", Role::Operator)
}

pub(crate) fn root() -> Ask {
    ask("root", Role::Admin)
}

pub(crate) fn after(ask: Ask, seconds: u64) -> Ask {
    Ask { now: ask.now.plus(seconds * Micros::SECOND), ..ask }
}

pub(crate) fn expecting(ask: Ask, expected: Expected) -> Ask {
    Ask { expected: Some(expected), ..ask }
}

pub(crate) fn keyed(ask: Ask, key: &str) -> Ask {
    let key = RequestKey::new(&format!("user {}", ask.actor.name), key).unwrap();
    Ask { key: Some(key), ..ask }
}

pub(crate) fn new_version(name: Option<&str>) -> NewVersion {
    NewVersion {
        name: name.map(|name| name.parse().unwrap()),
        parent: None,
        provenance: Provenance {
            origin: Origin::Job("job-1".into()),
            data: Some(DataWindow { from: NOW.minus(400 * Micros::DAY), until: NOW.minus(310 * Micros::DAY) }),
            parameters: BTreeMap::from([("max_depth".into(), "6".into())]),
            feature_count: Some(42),
            code_revision: None,
        },
        train_metrics: BTreeMap::from([("loss".into(), 0.25)]),
        validation_metrics: BTreeMap::new(),
        tags: BTreeMap::new(),
        importances: None,
        success: true,
    }
}

pub(crate) fn file(content: u8) -> ArtifactFile {
    ArtifactFile { path: "model.bin".parse().unwrap(), size: 10, sha256: Digest([content; 32]) }
}

/// Daily returns with a drift of `drift` and a spread of one per cent: 0.004 is far on the good side of every gate,
/// -0.001 on the bad one of all.
pub(crate) fn evaluation(kind: &str, days: usize, drift: f64) -> EvaluationInput {
    // Two parts that win for each that loses, of uneven size, so that no figure divides by zero.
    let swing = [0.006, -0.008, 0.009, 0.002, -0.006, 0.005, -0.002, -0.005, 0.004, -0.005];
    let values: Vec<f64> = (0..days).map(|day| drift + swing[day % swing.len()]).collect();
    let first_day = if kind == "shadow_test" { "2026-04-01" } else { "2025-08-01" };
    let trades: Vec<_> = (0..120.min(days * 4))
        .map(|at| {
            json!({ "closed_at": format!("2026-01-{:02}T00:00:00Z", at % 28 + 1), "return": drift + swing[at % swing.len()] })
        })
        .collect();
    let input = json!({ "type": kind, "returns": { "first_day": first_day, "values": values }, "trades": trades });
    serde_json::from_value(input).unwrap()
}

pub(crate) fn good() -> EvaluationInput {
    evaluation("backtest", 200, 0.004)
}

pub(crate) fn bad() -> EvaluationInput {
    evaluation("backtest", 200, -0.001)
}

pub(crate) fn good_shadow() -> EvaluationInput {
    evaluation("shadow_test", 30, 0.004)
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
        change(&mut config);
        let store = Arc::new(Store::open(&config.data_file).unwrap());
        let registry = Arc::new(Registry::new(store.clone(), &config, Box::new(Undeployed)));
        Self { store, registry, config, _directory: directory }
    }

    /// Closes the data file and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, registry, config, _directory } = self;
        drop(registry);
        Arc::into_inner(store).expect("nobody else has it").close();
        let store = Arc::new(Store::open(&config.data_file).unwrap());
        let registry = Arc::new(Registry::new(store.clone(), &config, Box::new(Undeployed)));
        Self { store, registry, config, _directory }
    }

    #[track_caller]
    pub(crate) fn register(&self, version: &str) -> Registered {
        self.registry.register(&anna(), &model(), &new_version(Some(version))).unwrap()
    }

    #[track_caller]
    pub(crate) fn attach(&self, version: &str) {
        self.registry.attach(&anna(), &model(), &name(version), &file(1), u64::MAX).unwrap();
    }

    #[track_caller]
    pub(crate) fn evaluate(&self, version: &str, input: &EvaluationInput) -> Judged {
        self.registry.evaluate(&anna(), &model(), &name(version), input).unwrap()
    }

    /// A version with files, evaluated well enough for production.
    #[track_caller]
    pub(crate) fn fit(&self, version: &str) {
        self.register(version);
        self.attach(version);
        self.evaluate(version, &good());
        self.evaluate(version, &good_shadow());
    }

    /// A version that an admin puts into production past its gates.
    #[track_caller]
    pub(crate) fn in_production(&self, version: &str) {
        self.register(version);
        self.attach(version);
        self.force(version).unwrap();
    }

    pub(crate) fn force(&self, version: &str) -> Result<Promoted, RegistryError> {
        self.registry.promote(&root(), &model(), &name(version), FORCED, true)
    }

    #[track_caller]
    pub(crate) fn status(&self, version: &str) -> ModelStatus {
        self.registry.version(&model(), &name(version), NOW).unwrap().status
    }

    pub(crate) fn production(&self) -> Option<String> {
        self.store.model(&model()).unwrap().and_then(|model| model.production).map(|name| name.to_string())
    }

    /// The whole history, oldest first.
    pub(crate) fn history(&self, of: &ModelId) -> Vec<HistoryEntry> {
        let mut entries = self.store.read(|txn| txn.model_history(of, u64::MAX, usize::MAX)).unwrap();
        entries.reverse();
        entries
    }

    /// What was told to the bus, oldest first.
    pub(crate) fn told(&self) -> Vec<BusEvent> {
        let messages = self.store.outbox_after(0, usize::MAX).unwrap();
        messages.iter().map(|message| serde_json::from_str(&message.payload).unwrap()).collect()
    }

    /// The newest record of the audit log: who, what, to what, why.
    pub(crate) fn last_record(&self) -> (String, String, String, String) {
        let (mut records, _) = self.store.audit(&Default::default(), u64::MAX, 1).unwrap();
        let record = records.remove(0);
        (record.by, record.action, record.subject, record.why)
    }
}

/// What holds of every history: no hole, no entry before the one before it, production changes by promotion and rollback
/// alone, and each of these names what was in production until then.
#[track_caller]
pub(crate) fn is_linear(entries: &[HistoryEntry]) {
    let mut production = None;
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry.revision, at as u64 + 1, "a hole before {entry:?}");
        assert!(at == 0 || entries[at - 1].at <= entry.at, "{entry:?} is before the entry before it");
        match &entry.step {
            Step::Promoted { previous, .. } | Step::RolledBack { previous } => {
                assert_eq!(*previous, production, "{entry:?} replaces something else than what was there");
                assert_ne!(Some(&entry.version), production.as_ref(), "{entry:?} changes nothing");
                production = Some(entry.version.clone());
            }
            _ => {}
        }
        assert_eq!(entry.production, production, "{entry:?}");
    }
}
