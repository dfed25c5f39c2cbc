//! What programs answer, held against the contract before it is taken.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::adapter::{self, Answer};
use crate::domain::job::{Failure, FailureKind, Finished, Program, Report, StepEnd};
use crate::domain::time::Micros;

/// The report, or, where the answer in it breaks the contract, that of a program which failed by that: the same one again
/// comes to the same.
pub(super) fn checked(report: &Report, now: Micros) -> Cow<'_, Report> {
    let StepEnd::Done(finished) = &report.end else { return Cow::Borrowed(report) };
    match read(report.program, finished, now) {
        Ok(_) => Cow::Borrowed(report),
        Err(failure) => Cow::Owned(Report { end: StepEnd::Failed { failure }, ..report.clone() }),
    }
}

/// What a program answered.
pub(super) fn read(program: Program, finished: &Finished, now: Micros) -> Result<Answer, Failure> {
    let wrong = |why: String| Failure { kind: FailureKind::Answer, why };
    let json = match &finished.result {
        Value::Null => Vec::new(),
        result => result.to_string().into_bytes(),
    };
    let answer = adapter::check(program, &json, now).map_err(|misfits| {
        wrong(format!("the result.json of `{}` breaks the contract of docs/ADAPTERS.md: {misfits}", program.as_str()))
    })?;
    if let Answer::Train(train) = &answer {
        let named = || train.artifacts.iter().map(|path| path.as_str());
        let told = |path: &str| finished.artifacts.contains_key(path);
        if let Some(path) = named().find(|path| !told(path)) {
            return Err(wrong(format!("the worker did not say what is in {path}, which `train` answered with")));
        }
        if finished.artifacts.len() != train.artifacts.len() {
            return Err(wrong("the worker tells of files that `train` did not answer with".to_owned()));
        }
    }
    Ok(answer)
}
