//! The registry: what is known of models and their versions, and everything that changes it.
//!
//! Everything here blocks. Whoever changes something says who they are, why, and, where they know it, what they believe
//! to be in production ([`Ask`]); each change is one transaction with its history entry, its audit record, its message
//! to the bus and its idempotency key.

use crate::domain::access::Actor;
use crate::domain::model::{BadName, ModelId, NoWay, VersionName};
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::store::StoreError;

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
    /// To what was in production before.
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
    /// A value that does not do.
    #[error("{field}: {why}")]
    Bad {
        /// Which.
        field: String,
        /// What is wrong with it.
        why: String,
    },
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
    #[error("this Idempotency-Key was used for another request")]
    KeyUsed,
    /// A file of the artifacts.
    #[error("{what}: {source}")]
    File {
        /// Which, and what was done with it.
        what: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}
