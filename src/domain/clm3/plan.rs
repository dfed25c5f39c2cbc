use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sha2::{Digest as _, Sha256};

use super::json::Json;
use super::place::{Place, place};
use super::record::{JobRecord, ModelRecord, Source};
use super::report::{FileReport, Outcome};
use super::{evaluation, job, version};
use crate::domain::model::{Digest, ModelId};

/// A file of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the registry's directory.
    pub path: String,
    /// What it holds, or why it could not be read.
    pub content: Result<Vec<u8>, String>,
}

/// The training jobs, by id in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    jobs: BTreeMap<String, (String, JobRecord)>,
}

impl Jobs {
    /// One of them.
    pub fn get(&self, id: &str) -> Option<&JobRecord> {
        self.jobs.get(&id.to_ascii_lowercase()).map(|(_, job)| job)
    }

    /// What becomes of each: its facts go with the version that it made, and so does its outcome, by the id of the job.
    /// There is no place yet for one that made none.
    pub fn outcomes(&self, made: &BTreeMap<String, Outcome>) -> Vec<FileReport> {
        let outcome = |(id, (path, job)): (&String, &(String, JobRecord))| match made.get(id) {
            Some(outcome @ (Outcome::Taken | Outcome::Already)) => FileReport::new(path, *outcome, Vec::new()),
            _ => {
                let status = job.status.as_deref().unwrap_or("unknown");
                let why = format!(
                    "no version that was taken came of this job ({status}); jobs of their own are not taken over"
                );
                FileReport::new(path, Outcome::Aside, vec![why])
            }
        };
        self.jobs.iter().map(outcome).collect()
    }
}

/// A model as its files tell it, and what there is to say about each file: of those in the record, what could not be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What is to be taken; `None` where there is nothing.
    pub record: Option<ModelRecord>,
    /// Files that are not in the record, and why.
    pub refused: Vec<FileReport>,
    /// What could not be kept of files that are, by path.
    pub notes: BTreeMap<String, Vec<String>>,
}

const TWICE: &str = "another file is of the same job: their names differ in the case of letters only";

/// Reads the files below `training_jobs`.
pub fn jobs(files: impl IntoIterator<Item = File>) -> (Jobs, Vec<FileReport>) {
    let mut jobs = Jobs::default();
    let mut refused = Vec::new();
    // One after the other: there may be many, and what is needed of each is little.
    for file in files {
        let Place::Job { id } = place(&file.path) else { continue };
        let read = content(&file).and_then(|(_, json)| job::read(&id, &json));
        match read {
            Ok((job, _)) => match jobs.jobs.entry(id.to_ascii_lowercase()) {
                Entry::Occupied(mut other) if file.path < other.get().0 => {
                    let (path, _) = other.insert((file.path, job));
                    refused.push(FileReport::not_taken(&path, TWICE));
                }
                Entry::Occupied(_) => refused.push(FileReport::not_taken(&file.path, TWICE)),
                Entry::Vacant(place) => drop(place.insert((file.path, job))),
            },
            Err(why) => refused.push(FileReport::not_taken(&file.path, why)),
        }
    }
    refused.sort_by(|a, b| a.path.cmp(&b.path));
    (jobs, refused)
}

/// Reads the files of one model: those of `models/<directory>` and of `evaluations/<directory>`.
pub fn model(directory: &str, files: impl IntoIterator<Item = File>, jobs: &Jobs) -> Planned {
    let mut planned = Planned { record: None, refused: Vec::new(), notes: BTreeMap::new() };
    let id: ModelId = match directory.parse() {
        Ok(id) => id,
        Err(error) => {
            let why = format!("the directory's name is no model's: {error}");
            planned.refused = sorted(files).iter().map(|file| FileReport::not_taken(&file.path, &why)).collect();
            return planned;
        }
    };
    let mut record = ModelRecord { model_id: id, versions: Vec::new(), evaluations: Vec::new() };
    for file in sorted(files) {
        let read = content(&file).and_then(|(source, json)| match place(&file.path) {
            Place::Version { model, name } if model == directory => {
                let (read, notes) = version::read(source, (&record.model_id, &name), &json, jobs)?;
                record.versions.push(read);
                Ok(notes)
            }
            Place::Evaluation { model, name } if model == directory => {
                let (read, notes) = evaluation::read(source, (&record.model_id, &name), &json)?;
                record.evaluations.push(read);
                Ok(notes)
            }
            _ => Err(format!("it is no file of the model {directory}")),
        });
        match read {
            Ok(notes) if notes.is_empty() => {}
            Ok(notes) => drop(planned.notes.insert(file.path, notes)),
            Err(why) => planned.refused.push(FileReport::not_taken(&file.path, why)),
        }
    }
    planned.record = (!record.versions.is_empty() || !record.evaluations.is_empty()).then_some(record);
    planned
}

/// In the order of paths: in which order a directory lists them does not matter.
fn sorted(files: impl IntoIterator<Item = File>) -> Vec<File> {
    let mut files: Vec<File> = files.into_iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn content(file: &File) -> Result<(Source, Json), String> {
    let bytes = file.content.as_ref().map_err(Clone::clone)?;
    let json = Json::parse(bytes).map_err(|fault| fault.to_string())?;
    let sha256 = Digest(Sha256::digest(bytes).into());
    Ok((Source { path: file.path.clone(), sha256 }, json))
}
