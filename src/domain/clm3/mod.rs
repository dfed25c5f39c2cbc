//! The predecessor's registry: JSON files that its programs rewrote in place. From bytes to records, and from the
//! times that these records hold to the history of a model.
//!
//! It wrote times of UTC without a zone, numbers that JSON does not have, and a promotion as several files one after
//! the other: so a registry may name two versions in production, or none, and its youngest file may be half a file. What
//! one file lacks takes nothing from the others.

mod evaluation;
mod field;
mod job;
mod json;
mod past;
mod place;
mod plan;
mod record;
mod report;
mod take_over;
mod version;

#[cfg(test)]
mod tests;

pub use self::json::{Fault, Json};
pub use self::past::{Moment, Past, Turn, past};
pub use self::place::{Place, place};
pub use self::plan::{File, Jobs, Planned, jobs, model};
pub use self::record::{
    ArtifactRecord, EvaluationRecord, Found, JobRecord, ModelRecord, ReportedFigures, Source, VersionRecord,
};
pub use self::report::{Counts, FileReport, Outcome};
pub use self::take_over::{about, artifact_path, figures_of, version_of};
