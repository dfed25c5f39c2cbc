//! Models, their versions, and what becomes of these: the nouns of the registry.

mod artifact;
mod evaluation;
mod history;
mod name;
mod status;
mod timeline;
mod version;

pub use self::artifact::{ArtifactFile, ArtifactState, Artifacts, Digest, Keeping};
pub use self::evaluation::{Evaluation, EvaluationId, EvaluationKind, Figure, FigureOrigin, Figures, PlainFigures};
pub use self::history::{HistoryEntry, Step};
pub use self::name::{BadName, ModelId, ModelName, ModelType, VersionName};
pub use self::status::{ModelStatus, NoWay, Stage, may_move};
pub use self::timeline::{Beginning, Term, terms};
pub use self::version::{DataWindow, Forced, Model, Origin, Provenance, StageCounts, Tombstone, Version};
