//! Adapters: what the operator's own programs are asked (`job.json`), and what they answer (`result.json`,
//! `progress.json`). docs/ADAPTERS.md is the contract in words, `docs/schemas` as JSON Schemas made from these types.
//!
//! An answer is checked strictly: what it lacks, what does not fit and what nobody knows is refused with the place and the
//! reason. What is a program's own goes below `extra`, which is kept as it is.

mod data;
mod evaluate;
mod hook;
mod job;
mod misfit;
mod progress;
mod read;
mod schema;
mod train;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::data::DataResult;
pub use self::evaluate::{EvaluateResult, Method};
pub use self::hook::HookResult;
pub use self::job::{Directories, JobFile};
pub use self::misfit::{Misfit, Misfits};
pub use self::progress::Progress;
pub use self::schema::schemas;
pub use self::train::TrainResult;
use crate::domain::job::Program;
use crate::domain::performance::EvaluationInput;
use crate::domain::time::Micros;

/// The version of the contract that programs are asked under.
pub const CONTRACT: u32 = 1;

/// The longest answer, in bytes: what is larger belongs into files.
pub const ANSWER_BYTES: usize = 16 << 20;

/// The longest `progress.json`, in bytes.
pub const PROGRESS_BYTES: usize = 64 << 10;

/// What a program answered, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Of the program that fetches the data.
    Data(DataResult),
    /// Of the one that trains.
    Train(Box<TrainResult>),
    /// Of the one that evaluates, as the registry takes it.
    Evaluate(Box<EvaluationInput>),
    /// Of the hook.
    Hook(HookResult),
}

/// Checks the `result.json` of `program`, which ended at `now`. A hook may leave none, which is none of its bytes.
pub fn check(program: Program, json: &[u8], now: Micros) -> Result<Answer, Misfits> {
    match program {
        Program::Data => read::read::<DataResult>(json, ANSWER_BYTES)?.check(now).map(Answer::Data),
        Program::Train => {
            read::read::<TrainResult>(json, ANSWER_BYTES)?.check(now).map(|train| Answer::Train(Box::new(train)))
        }
        Program::Evaluate => {
            read::read::<EvaluateResult>(json, ANSWER_BYTES)?.check(now).map(|input| Answer::Evaluate(Box::new(input)))
        }
        Program::Hook if json.is_empty() => Ok(Answer::Hook(HookResult::default())),
        Program::Hook => read::read::<HookResult>(json, ANSWER_BYTES)?.check().map(Answer::Hook),
    }
}

/// Reads a `progress.json`. One that does not fit says nothing and harms nobody: a program writes it all the time.
pub fn check_progress(json: &[u8]) -> Result<Progress, Misfits> {
    read::read::<Progress>(json, PROGRESS_BYTES)?.check()
}

/// From when to when data reaches; RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataRange {
    /// The instant of the first row.
    #[serde(with = "crate::domain::time::rfc3339")]
    #[schemars(with = "Micros")]
    pub from: Micros,
    /// The instant of the last row, or the end of what it covers.
    #[serde(with = "crate::domain::time::rfc3339")]
    #[schemars(with = "Micros")]
    pub until: Micros,
}

impl DataRange {
    /// Clocks of data and of this machine differ, but not by more.
    const AHEAD: u64 = Micros::DAY;

    fn check(&self, place: &str, now: Micros, misfits: &mut Misfits) {
        if self.from >= self.until {
            misfits.add(place, "must begin before it ends");
        }
        if self.until > now.plus(Self::AHEAD) {
            misfits.add(format!("{place}/until"), "lies in the future");
        }
    }
}
