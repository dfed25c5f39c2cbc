//! The registry: what is known of models and their versions, and everything that changes it.
//!
//! Everything here blocks. Whoever changes something says who they are, why, and, where they know it, what they believe
//! to be in production ([`Ask`]); each change is one transaction with its history entry, its audit record, its message
//! to the bus and its idempotency key ([`change`]).

mod advance;
mod approve;
mod attach;
mod change;
mod compare;
mod delete;
mod evaluate;
mod gates;
mod import;
mod promote;
mod query;
mod read;
mod register;
mod roll_back;

use std::sync::Arc;

use super::change::KeyUsed;
use crate::config::{Config, Promotion};
use crate::domain::access::{Actor, Grant};
use crate::domain::gates::Terms;
use crate::domain::model::{BadName, EvaluationId, ManifestError, ModelId, NoWay, Version, VersionName};
use crate::domain::performance::Misfit;
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::store::{Store, StoreError};

pub use self::advance::Moved;
pub use self::attach::{Attached, take_file};
pub use self::compare::{Compared, Comparison, MOST_COMPARED};
pub use self::delete::Deleted;
pub use self::evaluate::Judged;
pub use self::import::ModelImport;
pub use self::promote::{FORCE_WHY_CHARS, Promoted};
pub use self::query::{HistoryQuery, ModelQuery, ModelSort, Page, VersionQuery};
pub use self::read::{Counts, ModelDetail, ModelRow, Reigning, VersionDetail, VersionRow};
pub use self::register::{NewVersion, Registered};
pub use self::roll_back::RolledBack;

/// The longest reason.
pub const WHY_BYTES: usize = crate::app::intents::WHY_BYTES;

/// Who puts into effect what the registry has committed.
pub trait Deployment: Send + Sync {
    /// Something else is in production of this model, or may be: the pointer on the disk has to follow. Called after the
    /// commit, and what fails is repaired later: so the answer is no error, but a sentence for who asked.
    fn reconcile(&self, model: &ModelId) -> Option<String>;

    /// What of a version's files is not on the disk as it should be, in words; `None` where all are there. They are looked
    /// at, not read.
    fn lacks(&self, version: &Version) -> Option<String>;

    /// What of a version's files that stay where they are has other content than when they were registered, in words. They
    /// are read, which takes its time: never within a transaction. What was taken in nobody else can write to.
    fn altered(&self, version: &Version) -> Option<String>;

    /// A version was deleted, and what it had on the disk can go. Called after the commit, likewise.
    fn deleted(&self, model: &ModelId, version: &VersionName);
}

/// A registry whose decisions nobody puts into effect: that of tests and of commands that look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undeployed;

impl Deployment for Undeployed {
    fn reconcile(&self, _: &ModelId) -> Option<String> {
        None
    }

    fn lacks(&self, _: &Version) -> Option<String> {
        None
    }

    fn altered(&self, _: &Version) -> Option<String> {
        None
    }

    fn deleted(&self, _: &ModelId, _: &VersionName) {}
}

/// Models, versions, gates, promotion.
pub struct Registry {
    store: Arc<Store>,
    promotion: Promotion,
    terms: Terms,
    deployment: Box<dyn Deployment>,
}

impl Registry {
    /// The registry of a data file.
    pub fn new(store: Arc<Store>, config: &Config, deployment: Box<dyn Deployment>) -> Self {
        Self { store, promotion: config.promotion.clone(), terms: config.gates, deployment }
    }
}

/// What a caller who changes something believes to be so: `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The model's revision: nothing at all has happened since. `"r17"`.
    Revision(u64),
    /// This version is in production; `None`: none is. `"v20260117_034606"`, `"none"`.
    Production(Option<VersionName>),
}

/// Who asks for a change, and under which terms.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who.
    pub actor: Actor,
    /// What their credential allows.
    pub grant: Grant,
    /// When.
    pub now: Micros,
    /// What they named the request with.
    pub key: Option<RequestKey>,
    /// What they believe to be so.
    pub expected: Option<Expected>,
}

/// Where a rollback leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this version.
    Version(VersionName),
    /// To the one before: what was in production when the present one was promoted. So going back twice leads two
    /// promotions back, never to and fro.
    Before,
}

/// Why the registry stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such model.
    #[error("there is no model {0}")]
    NoModel(ModelId),
    /// There is no such version.
    #[error("there is no version {1} of {0}")]
    NoVersion(ModelId, VersionName),
    /// There is no such evaluation.
    #[error("there is no evaluation {2} of version {1} of {0}")]
    NoEvaluation(ModelId, VersionName, EvaluationId),
    /// It was deleted.
    #[error("{0}")]
    Deleted(String),
    /// A file that a version does not take.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A value that does not do.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// Values of an evaluation that do not do.
    #[error("{}", misfits(.0))]
    Misfits(Vec<Misfit>),
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// No version makes this move.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// The gates are closed. Holds what is in the way.
    #[error("the gates are closed: {0}")]
    Gates(String),
    /// What the caller believed is no longer so; says what changed, by whom and when.
    #[error("{0}")]
    Changed(String),
    /// It stands against what is there.
    #[error("{0}")]
    Conflict(String),
    /// Only an admin may.
    #[error("{0}")]
    Forbidden(String),
    /// The key has done something else already.
    #[error(transparent)]
    KeyUsed(#[from] KeyUsed),
    /// A file of the artifacts.
    #[error("{what}: {source}")]
    File {
        /// Which, and what was done with it.
        what: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The answer that is kept under a key.
    #[error("the answer kept under an Idempotency-Key: {0}")]
    Answer(#[from] serde_json::Error),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn misfits(misfits: &[Misfit]) -> String {
    let told = |misfit: &Misfit| match misfit.field.as_str() {
        "" => misfit.why.clone(),
        field => format!("{field}: {}", misfit.why),
    };
    misfits.iter().map(told).collect::<Vec<_>>().join("; ")
}

impl RegistryError {
    fn bad(field: &str, why: impl Into<String>) -> Self {
        Self::Bad { field: field.to_owned(), why: why.into() }
    }
}
