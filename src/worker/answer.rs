//! What a program left as its answer: read, held against the contract, and its files looked at. Blocking.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::domain::adapter::{self, ANSWER_BYTES, Answer};
use crate::domain::job::{Failure, FailureKind, Finished, Program};
use crate::domain::model::{ArtifactPath, Digest};
use crate::domain::time::Micros;

/// Bytes that are hashed at once.
const PIECE: usize = 256 << 10;

const RESULT: &str = "result.json";

/// The answer of a program that ended well, if it keeps to the contract.
pub(super) fn read(work: &Path, program: Program, now: Micros) -> Result<Finished, Failure> {
    let bytes = match bytes(work, RESULT, ANSWER_BYTES) {
        Err(Bad::Absent) if program == Program::Hook => Vec::new(),
        other => other.map_err(|bad| failure(program, bad))?,
    };
    let broken =
        |why: String| Failure { kind: FailureKind::Answer, why: format!("{RESULT} of {}: {why}", program.as_str()) };
    let answer = adapter::check(program, &bytes, now).map_err(|misfits| broken(misfits.to_string()))?;
    let result = if bytes.is_empty() {
        serde_json::json!({})
    } else {
        serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?
    };
    let mut artifacts = BTreeMap::new();
    match answer {
        Answer::Train(train) => {
            for (place, path) in train.artifacts.iter().enumerate() {
                let at = |why: String| broken(format!("/artifacts/{place}: {path}: {why}"));
                let digest = digest(work, path).map_err(|bad| match bad {
                    Bad::Io(_) => failure(program, bad),
                    other => at(other.to_string()),
                })?;
                artifacts.insert(path.to_string(), digest);
            }
        }
        Answer::Data(data) => {
            for (place, path) in data.files.iter().enumerate() {
                let looked = open(work, path.as_str()).map(drop);
                looked.map_err(|bad| broken(format!("/files/{place}: {path}: {bad}")))?;
            }
        }
        Answer::Evaluate(_) | Answer::Hook(_) => {}
    }
    Ok(Finished { result, artifacts })
}

/// Why a file of a program is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    #[error("is not there")]
    Absent,
    #[error("is no regular file")]
    NoFile,
    #[error("is empty")]
    Empty,
    #[error("has {bytes} bytes, and {most} are read at most: put what is large into files")]
    TooLarge { bytes: u64, most: usize },
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

fn failure(program: Program, bad: Bad) -> Failure {
    let program = program.as_str();
    match bad {
        Bad::Io(error) => {
            Failure { kind: FailureKind::Infrastructure, why: format!("what {program} left cannot be read: {error}") }
        }
        Bad::Absent => Failure {
            kind: FailureKind::Answer,
            why: format!(
                "{program} ended with exit code 0 and left no {RESULT}: it has to write one, also where there is little to say"
            ),
        },
        bad => Failure { kind: FailureKind::Answer, why: format!("{RESULT} of {program} {bad}") },
    }
}

/// Opens a regular file below `directory`. None of the names on the way may be a link: what is sent elsewhere is what the
/// program made, and nothing that it points to.
pub(super) fn open(directory: &Path, path: &str) -> Result<File, Bad> {
    let wrong = |errno: Errno| match errno {
        Errno::NOENT => Bad::Absent,
        Errno::LOOP | Errno::NXIO | Errno::NOTDIR | Errno::ISDIR => Bad::NoFile,
        errno => Bad::Io(errno.into()),
    };
    let step = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut at =
        openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(wrong)?;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        let last = names.peek().is_none();
        // Opening a pipe would wait for its writer.
        let flags = if last { OFlags::RDONLY | OFlags::NONBLOCK } else { OFlags::PATH | OFlags::DIRECTORY };
        at = openat(&at, name, flags | step, Mode::empty()).map_err(wrong)?;
    }
    let file = File::from(at);
    if file.metadata().map_err(Bad::Io)?.is_file() { Ok(file) } else { Err(Bad::NoFile) }
}

/// A small file, whole.
fn bytes(directory: &Path, name: &str, most: usize) -> Result<Vec<u8>, Bad> {
    let file = open(directory, name)?;
    let length = file.metadata().map_err(Bad::Io)?.len();
    if length > most as u64 {
        return Err(Bad::TooLarge { bytes: length, most });
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(Bad::Io)?;
    if bytes.len() > most { Err(Bad::TooLarge { bytes: bytes.len() as u64, most }) } else { Ok(bytes) }
}

/// The digest of an artifact.
pub(super) fn digest(directory: &Path, path: &ArtifactPath) -> Result<Digest, Bad> {
    let mut file = open(directory, path.as_str())?;
    if file.metadata().map_err(Bad::Io)?.len() == 0 {
        return Err(Bad::Empty);
    }
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).map_err(Bad::Io)? {
            0 => return Ok(Digest(hash.finalize().into())),
            read => hash.update(&piece[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::{Value, json};

    use super::*;

    const NOW: Micros = Micros(1_768_621_566_000_000);

    fn train(artifacts: &Value) -> Value {
        json!({
            "artifacts": artifacts, "feature_count": 2,
            "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2025-12-01T00:00:00Z" },
        })
    }

    #[test]
    fn files_are_what_the_program_made_and_nothing_that_it_points_to() {
        let directory = tempfile::tempdir().unwrap();
        let work = directory.path();
        let said = |artifacts: Value| {
            fs::write(work.join(RESULT), train(&artifacts).to_string()).unwrap();
            read(work, Program::Train, NOW).map_err(|failure| (failure.kind, failure.why))
        };
        fs::create_dir(work.join("a")).unwrap();
        fs::write(work.join("a/b"), "x").unwrap();
        fs::write(work.join("empty"), "").unwrap();
        symlink("/etc/passwd", work.join("link")).unwrap();
        symlink("a", work.join("way")).unwrap();
        let finished = said(json!(["a/b"])).unwrap();
        let digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        assert_eq!(finished.artifacts["a/b"].to_string(), digest);
        for (path, why) in
            [("link", "no regular file"), ("way/b", "no regular file"), ("none", "is not there"), ("empty", "is empty")]
        {
            let (kind, told) = said(json!(["a/b", path])).unwrap_err();
            assert!(
                kind == FailureKind::Answer && told.contains("/artifacts/1") && told.contains(why),
                "{path}: {told}"
            );
        }
        for path in ["a", "a/b/c"] {
            let (kind, told) = said(json!([path])).unwrap_err();
            assert!(kind == FailureKind::Answer && told.contains("no regular file"), "{path}: {told}");
        }
    }

    #[test]
    fn half_an_answer_none_and_an_endless_one() {
        let directory = tempfile::tempdir().unwrap();
        let work = directory.path();
        let said = |program| read(work, program, NOW).map_err(|failure| failure.why);
        assert!(said(Program::Data).unwrap_err().contains("left no result.json"));
        assert_eq!(said(Program::Hook).unwrap().result, json!({}));
        fs::write(work.join(RESULT), "{\"rows\": 3, \"da").unwrap();
        assert!(said(Program::Data).unwrap_err().contains("breaks off"));
        File::create(work.join(RESULT)).unwrap().set_len(200 << 20).unwrap();
        assert!(said(Program::Data).unwrap_err().contains("has 209715200 bytes"));
        fs::remove_file(work.join(RESULT)).unwrap();
        symlink("/etc/passwd", work.join(RESULT)).unwrap();
        assert!(said(Program::Data).unwrap_err().contains("is no regular file"));
        fs::remove_file(work.join(RESULT)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(work.join(RESULT)).status().unwrap().success());
        assert!(said(Program::Hook).unwrap_err().contains("is no regular file"), "it waits, or takes it for none");
    }
}
