use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Missing, print};
use super::{Ask, Registry, RegistryError};
use crate::domain::bus::BusEvent;
use crate::domain::model::{
    Importances, ModelId, ModelStatus, Origin, Provenance, Stage, Step, Tombstone, Version, VersionName,
};
use crate::domain::time::Micros;

/// A version that is to be registered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVersion {
    /// Its name; after the instant where there is none.
    pub name: Option<VersionName>,
    /// The version that it was made from.
    pub parent: Option<VersionName>,
    /// How it came to be.
    pub provenance: Provenance,
    /// Figures of its training.
    pub train_metrics: BTreeMap<String, f64>,
    /// Figures of its validation.
    pub validation_metrics: BTreeMap<String, f64>,
    /// What people want to find it by.
    pub tags: BTreeMap<String, String>,
    /// How much each feature counts, where its training said it.
    pub importances: Option<Importances>,
    /// Whether its training came to an end; a version whose training failed is registered as failed.
    pub success: bool,
}

/// A version that was registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The model.
    pub model: ModelId,
    /// Its name.
    pub version: VersionName,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision since.
    pub revision: u64,
}

impl Registry {
    /// Registers a version; the first one makes its model.
    pub fn register(&self, ask: &Ask, id: &ModelId, new: &NewVersion) -> Result<Registered, RegistryError> {
        check(new)?;
        let request = format!("model.register {id}: {}", print(new));
        self.change(ask, id, Missing::Make, &request, |change| {
            let txn = change.txn;
            let taken = |name: &VersionName| txn.version(id, name);
            let name = match &new.name {
                Some(name) => match taken(name)? {
                    Some(Version { deleted: None, .. }) => {
                        return Err(RegistryError::Conflict(format!("there is a version {name} of {id} already")));
                    }
                    Some(Version { deleted: Some(Tombstone { by, at, .. }), .. }) => {
                        return Err(RegistryError::Conflict(format!(
                            "there was a version {name} of {id}, deleted by {by} at {}: a name is never given twice",
                            at.rfc3339()
                        )));
                    }
                    None => name.clone(),
                },
                // Two of one second: the later one is named after the next second that is free.
                None => {
                    let mut at = change.at;
                    loop {
                        let name = VersionName::at(at);
                        if taken(&name)?.is_none() {
                            break name;
                        }
                        at = at.plus(Micros::SECOND);
                    }
                }
            };
            if let Some(parent) = &new.parent
                && txn.version(id, parent)?.is_none()
            {
                return Err(RegistryError::bad("parent", format!("there is no version {parent} of {id}")));
            }
            let stage = if new.success { Stage::Training } else { Stage::Failed };
            let version = Version {
                model: id.clone(),
                name: name.clone(),
                stage,
                created_at: change.at,
                promoted_at: None,
                retired_at: None,
                succeeded: None,
                parent: new.parent.clone(),
                provenance: new.provenance.clone(),
                artifacts: None,
                train_metrics: new.train_metrics.clone(),
                validation_metrics: new.validation_metrics.clone(),
                tags: new.tags.clone(),
                score: None,
                sharpe: None,
                forced: Vec::new(),
                deleted: None,
            };
            *change.model.counts.of(stage) += 1;
            let why = if new.success { "" } else { "its training failed" };
            change.enter(&name, Step::Registered, why, None)?;
            txn.put_version(&version)?;
            if let Some(importances) = &new.importances {
                txn.put_importances(id, &name, importances)?;
            }
            change.audit("model.register", &name, why)?;
            let job = match &new.provenance.origin {
                Origin::Job(job) => Some(job.as_str()),
                Origin::Import(_) => None,
            };
            let metrics = serde_json::to_value(&new.train_metrics)?;
            let model_type = change.model.name.model_type;
            change.tell(&BusEvent::trained(job, id, &name, model_type, new.success, metrics, change.at))?;
            let status = change.model.status(&version);
            Ok(Registered { model: id.clone(), version: name, status, revision: change.model.revision })
        })
    }
}

/// What no version may lack, and what is too much of it.
fn check(new: &NewVersion) -> Result<(), RegistryError> {
    let Provenance { origin, data, parameters, feature_count, code_revision } = &new.provenance;
    let word = |field: &str, text: &str, most: usize| {
        let fits = !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control);
        if fits {
            Ok(())
        } else {
            Err(RegistryError::bad(field, format!("use 1 to {most} bytes without control characters")))
        }
    };
    let (Origin::Job(who) | Origin::Import(who)) = origin;
    word("provenance.origin", who, 256)?;
    match (origin, data) {
        (_, Some(window)) if window.from >= window.until => {
            return Err(RegistryError::bad("provenance.data", "must begin before it ends"));
        }
        (Origin::Job(_), None) => {
            return Err(RegistryError::bad("provenance.data", "say which data it was trained on"));
        }
        _ => {}
    }
    if feature_count.is_none() && matches!(origin, Origin::Job(_)) {
        return Err(RegistryError::bad("provenance.feature_count", "say how many features it reads"));
    }
    if let Some(revision) = code_revision {
        word("provenance.code_revision", revision, 256)?;
    }
    let bytes: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    if parameters.len() > Version::PARAMETERS || bytes > Version::PARAMETERS_BYTES {
        let why =
            format!("has more than {} keys or 64 KiB: put large ones into a file of the version", Version::PARAMETERS);
        return Err(RegistryError::bad("provenance.parameters", why));
    }
    for (field, metrics) in [("train_metrics", &new.train_metrics), ("validation_metrics", &new.validation_metrics)] {
        if metrics.len() > Version::METRICS {
            return Err(RegistryError::bad(field, format!("has more than {} figures", Version::METRICS)));
        }
        for (name, value) in metrics {
            let field = format!("{field}.{name}");
            word(&field, name, 128)?;
            if !value.is_finite() {
                return Err(RegistryError::bad(&field, "is not a finite number"));
            }
        }
    }
    if let Some(Importances { method, features }) = &new.importances {
        if let Some(method) = method {
            word("importance_method", method, 64)?;
        }
        if features.len() > Importances::MOST {
            let why = format!("has more than {} features", Importances::MOST);
            return Err(RegistryError::bad("feature_importances", why));
        }
        for (name, value) in features {
            word("feature_importances", name, 256)?;
            if !value.is_finite() {
                return Err(RegistryError::bad("feature_importances", "holds what is not a finite number"));
            }
        }
    }
    if new.tags.len() > Version::TAGS {
        return Err(RegistryError::bad("tags", format!("has more than {}", Version::TAGS)));
    }
    for (name, value) in &new.tags {
        word("tags", name, 64)?;
        if value.len() > 256 || value.chars().any(char::is_control) {
            return Err(RegistryError::bad("tags", "use at most 256 bytes without control characters"));
        }
    }
    Ok(())
}
