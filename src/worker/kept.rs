//! What a program left: where a retry finds it whole, under the same inputs and by the same command, it is not run again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::place::{self, JobPlace};
use crate::domain::job::{Assignment, Finished, Program};
use crate::domain::model::Digest;

/// With more files than these, what a program left is not known again.
const FILES_MOST: usize = 100_000;

/// `kept/<program>.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// What the daemon said that it depends on.
    inputs: Digest,
    /// The command.
    command: Digest,
    /// What it answered.
    finished: Finished,
    /// Every file of the working directory: whether it is what it was is told by its size and its time.
    files: Files,
}

/// Only what later programs read in the directory is worth it.
fn is_kept(program: Program) -> bool {
    matches!(program, Program::Data | Program::Train)
}

/// Remembers what a program left.
pub(super) fn keep(place: &JobPlace, assignment: &Assignment, command: Digest, finished: &Finished) -> io::Result<()> {
    if !is_kept(assignment.program) {
        return Ok(());
    }
    let Some(files) = files(&place.work(assignment.program))? else { return Ok(()) };
    let kept = Kept { inputs: assignment.inputs, command, finished: finished.clone(), files };
    let path = place.kept(assignment.program);
    place::make(path.parent().unwrap_or(Path::new("/")))?;
    place::write(&path, &kept)
}

/// What the program left the last time, if it is all there and would come out again.
pub(super) fn find(place: &JobPlace, assignment: &Assignment, command: Digest) -> Option<Finished> {
    if !is_kept(assignment.program) {
        return None;
    }
    // What cannot be read is not there: then the program runs.
    let kept: Kept = place::read(&place.kept(assignment.program)).ok()??;
    let is_same = kept.inputs == assignment.inputs && kept.command == command;
    let is_whole = || files(&place.work(assignment.program)).ok().flatten().is_some_and(|files| files == kept.files);
    (is_same && is_whole()).then_some(kept.finished)
}

/// It is about to be run anew.
pub(super) fn forget(place: &JobPlace, program: Program) -> io::Result<()> {
    match fs::remove_file(place.kept(program)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Size, seconds and nanoseconds of the last change, by path.
type Files = BTreeMap<String, (u64, i64, i64)>;

/// Sizes and times of the files below `directory`; none where there are too many.
fn files(directory: &Path) -> io::Result<Option<Files>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            // A job's own question changes with its number, and says nothing of what the program left.
            if next == directory && entry.file_name() == "job.json" {
                continue;
            }
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                // What is temporary is nobody's.
                if next != directory || entry.file_name() != "tmp" {
                    open.push(entry.path());
                }
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
            found.insert(name, (metadata.len(), metadata.mtime(), metadata.mtime_nsec()));
            if found.len() > FILES_MOST {
                return Ok(None);
            }
        }
    }
    Ok(Some(found))
}
