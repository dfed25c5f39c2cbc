//! Models, versions, evaluations: as the API sends them and the commands print them.

mod clm;
mod compare;
mod evaluation;
mod gates;
mod history;
mod model;
mod moves;
mod version;

pub use self::clm::{
    ClmEvolution, ClmJobCounts, ClmModel, ClmModels, ClmModelsQuery, ClmRegistry, ClmScheduler, ClmStatus,
};
pub use self::compare::{BadPair, CellAnswer, CompareAnswer, RowAnswer, RowKind, VersionPair};
pub use self::evaluation::{
    CalibrationAnswer, EvaluationAnswer, EvaluationDetail, EvaluationPage, EvidenceAnswer, IntervalAnswer,
    ReturnsAnswer,
};
pub use self::gates::GatesAnswer;
pub use self::history::{AtQuery, HistoryPage, RegistryStep, ReignAnswer, ReignList, StepName};
pub use self::model::{ModelAnswer, ModelDetailAnswer, ModelPage, ProductionAnswer};
pub use self::moves::{
    ApprovalAnswer, DeletedAnswer, JudgedAnswer, MovedAnswer, PromotedAnswer, RegisteredAnswer, RolledBackAnswer,
    WaitingAnswer, WaitsFor,
};
pub use self::version::{ArtifactsAnswer, DoneAnswer, VersionAnswer, VersionDetailAnswer, VersionPage, WindowAnswer};

/// A model's revision as answers write it: in an `ETag` it has quotation marks around it.
pub(crate) fn revision(number: u64) -> String {
    format!("r{number}")
}
