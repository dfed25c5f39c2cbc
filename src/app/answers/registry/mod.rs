//! Models, versions, evaluations: as the API sends them and the commands print them.

mod clm;
mod compare;
mod evaluation;
mod history;
mod model;
mod query;
mod version;

pub use self::clm::{ClmEvolution, ClmJobCounts, ClmModel, ClmModels, ClmRegistry, ClmScheduler, ClmStatus};
pub use self::compare::{CellAnswer, CompareAnswer, RowAnswer, RowKind};
pub use self::evaluation::{
    CalibrationAnswer, EvaluationAnswer, EvaluationDetail, EvaluationPage, EvidenceAnswer, IntervalAnswer,
    ReturnsAnswer,
};
pub use self::history::{HistoryPage, InProduction, InProductionList, RegistryStep, StepName};
pub use self::model::{ModelAnswer, ProductionAnswer};
pub use self::query::{AtQuery, BadSort, ModelQuery, ModelSort, PartQuery, TagQuery, VersionQuery};
pub use self::version::{ArtifactsAnswer, DoneAnswer, FileAnswer, VersionAnswer, VersionDetail, WindowAnswer};

/// A model's revision as answers write it: in an `ETag` it has quotation marks around it.
pub(crate) fn revision(number: u64) -> String {
    format!("r{number}")
}
