//! What programs answer, held against the contract before it is taken.

use serde_json::Value;

use crate::domain::adapter::{self, Answer};
use crate::domain::job::{Failure, FailureKind, Finished, Program};
use crate::domain::time::Micros;

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
