//! Models, their versions, and what becomes of these: the nouns of the registry.

mod artifact;
mod artifact_path;
mod hook;
mod importances;
mod manifest;
mod evaluation;
mod history;
mod name;
mod status;
mod timeline;
mod version;

pub use self::artifact::{ArtifactFile, ArtifactState, Artifacts, Digest, Keeping};
pub use self::artifact_path::{ArtifactPath, BadArtifactPath};
pub use self::evaluation::{Evaluation, EvaluationId, EvaluationKind, Figure, FigureOrigin, Figures, PlainFigures};
pub use self::history::{HistoryEntry, Step};
pub use self::hook::{BadHookState, Hook, HookState};
pub use self::importances::Importances;
pub use self::manifest::{Added, FILES_MOST, ManifestError};
pub use self::name::{BadName, ModelId, ModelName, ModelType, VersionName};
pub use self::status::{BadStatus, ModelStatus, NoWay, Stage, may_move};
pub use self::timeline::{Beginning, Term, terms};
pub use self::version::{DataWindow, Forced, Model, Origin, Provenance, StageCounts, Tombstone, Version};
