use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::Value;

/// The largest `result.json` that is read.
pub const RESULT_BYTES: u64 = 16 << 20;

/// The largest `progress.json` that is read.
const PROGRESS_BYTES: u64 = 64 << 10;

/// Why a program's answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is not there.
    #[error("the program ended and left no {0}")]
    Absent(&'static str),
    /// It is a link, a directory, a pipe or a device.
    #[error("{0} is no regular file")]
    NoFile(&'static str),
    /// It is too large; it was not read.
    #[error("{name} has {bytes} bytes, and {most} are read at most: large things belong into files of their own")]
    TooLarge {
        /// Which.
        name: &'static str,
        /// Its size.
        bytes: u64,
        /// What is read.
        most: u64,
    },
    /// It is no JSON, or half of it.
    #[error("{name} is no JSON: {source}")]
    NoJson {
        /// Which.
        name: &'static str,
        /// Where, and why.
        source: serde_json::Error,
    },
    /// It cannot be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// Which.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// What a program says of how far it is (`progress.json`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Progress {
    /// From 0 to 1.
    #[serde(default)]
    pub progress: Option<f32>,
    /// In its words.
    #[serde(default)]
    pub message: Option<String>,
}

/// The `result.json` that a program left in its working directory: a regular file of at most [`RESULT_BYTES`].
pub fn read_result(work: &Path) -> Result<Value, AnswerError> {
    let name = "result.json";
    let bytes = read_bounded(work, name, RESULT_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| AnswerError::NoJson { name, source })
}

/// What a running program says of how far it is; none if it says nothing that can be understood, which is no fault of its
/// job.
pub fn read_progress(work: &Path) -> Option<Progress> {
    let bytes = read_bounded(work, "progress.json", PROGRESS_BYTES).ok()?;
    let progress: Progress = serde_json::from_slice(&bytes).ok()?;
    Some(Progress { progress: progress.progress.filter(|p| p.is_finite()).map(|p| p.clamp(0.0, 1.0)), ..progress })
}

fn read_bounded(work: &Path, name: &'static str, most: u64) -> Result<Vec<u8>, AnswerError> {
    let unreadable = |source: io::Error| AnswerError::Unreadable { name, source };
    // Opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file: File = match openat(CWD, work.join(name), flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT) => return Err(AnswerError::Absent(name)),
        // A link; a socket.
        Err(Errno::LOOP | Errno::NXIO) => return Err(AnswerError::NoFile(name)),
        Err(errno) => return Err(unreadable(errno.into())),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(AnswerError::NoFile(name));
    }
    let too_large = |bytes| AnswerError::TooLarge { name, bytes, most };
    if metadata.len() > most {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_answer_and_what_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("result.json");
        let said = || read_result(directory.path()).map_err(|error| error.to_string());
        assert_eq!(said(), Err("the program ended and left no result.json".to_owned()));
        fs::write(&path, r#"{"metrics": {"a": 1}}"#).unwrap();
        assert_eq!(said().unwrap()["metrics"]["a"], 1);
        fs::write(&path, r#"{"metrics": {"a""#).unwrap();
        assert!(said().unwrap_err().starts_with("result.json is no JSON: EOF while parsing"), "{:?}", said());
        fs::write(&path, "").unwrap();
        assert!(said().is_err());
        fs::write(&path, [b'['; 10_000]).unwrap();
        assert!(said().unwrap_err().contains("recursion limit"), "{:?}", said());

        // 200 MiB take no room on the disk and are not read.
        File::create(&path).unwrap().set_len(200 << 20).unwrap();
        assert!(said().unwrap_err().starts_with("result.json has 209715200 bytes"), "{:?}", said());

        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert_eq!(said(), Err("result.json is no regular file".to_owned()));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(said(), Err("result.json is no regular file".to_owned()));
        fs::remove_dir(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert_eq!(said(), Err("result.json is no regular file".to_owned()));
    }

    #[test]
    fn progress_is_taken_as_far_as_it_is_understood() {
        let directory = tempfile::tempdir().unwrap();
        let said = |text: &str| {
            fs::write(directory.path().join("progress.json"), text).unwrap();
            read_progress(directory.path())
        };
        let some = |progress, message: Option<&str>| Some(Progress { progress, message: message.map(str::to_owned) });
        assert_eq!(read_progress(directory.path()), None);
        assert_eq!(said(r#"{"progress": 0.5, "message": "fold 3", "more": []}"#), some(Some(0.5), Some("fold 3")));
        assert_eq!(said(r#"{"progress": 7}"#), some(Some(1.0), None));
        assert_eq!(said("{}"), some(None, None));
        assert_eq!(said(r#"{"progress": 0."#), None);
    }
}
