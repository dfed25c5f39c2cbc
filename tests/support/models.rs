//! Models and versions to try things on.

use std::sync::Arc;

use quantum_clm::app::registry::{Ask, NewVersion, Registry, Undeployed};
use quantum_clm::config::Config;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::model::{DataWindow, ModelId, Origin, Provenance};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::now;
use quantum_clm::store::Store;

use super::daemon::Bed;

/// The model of most tests.
pub(crate) const MODEL: &str = "xgboost_btcusdt_1h_main";

pub(crate) fn model() -> ModelId {
    MODEL.parse().unwrap()
}

/// What somebody asks who may do everything.
pub(crate) fn by_admin() -> Ask {
    Ask { actor: Actor::local("root"), grant: Grant::Role(Role::Admin), now: now(), key: None, expected: None }
}

/// Registers a version as a training job does.
pub(crate) fn register(registry: &Registry, version: &str) {
    let provenance = Provenance {
        origin: Origin::Job("job-1".into()),
        data: Some(DataWindow { from: Micros(1), until: Micros(2) }),
        parameters: [("depth".to_owned(), "6".to_owned())].into(),
        feature_count: Some(49),
        code_revision: None,
    };
    let new = NewVersion {
        name: Some(version.parse().unwrap()),
        parent: None,
        provenance,
        train_metrics: Default::default(),
        validation_metrics: Default::default(),
        tags: Default::default(),
        importances: None,
        success: true,
    };
    registry.register(&by_admin(), &model(), &new).unwrap();
}

/// Registers versions in the data file of a bed, which no daemon has yet.
pub(crate) fn registered(bed: &Bed, versions: &[&str]) {
    let store = Arc::new(Store::open(bed.data_file()).unwrap());
    let registry = Registry::new(store, &Config::default(), Box::new(Undeployed));
    versions.iter().for_each(|version| register(&registry, version));
}

/// Where a version's file is sent to, and found.
pub(crate) fn file(version: &str, path: &str) -> String {
    format!("/api/models/{MODEL}/versions/{version}/artifacts/{path}")
}
