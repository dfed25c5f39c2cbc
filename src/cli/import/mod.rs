//! `import`: takes over what the Python system has on the disk. The files are read here, under the rights of whoever asks;
//! the daemon is sent what they say, a model at a time, so that neither has all of a registry in memory.

mod beneath;
mod history;
mod inventory;
mod report;
mod shelves;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use self::beneath::Beneath;
use self::inventory::Inventory;
use self::report::Report;
use self::shelves::Shelves;
use super::Global;
use super::ask::Daemon;
use crate::app::registry::ModelImport;
use crate::domain::clm3::{File, Jobs, ModelRecord, Outcome, Planned, VersionRecord, jobs, model};
use crate::domain::model::VersionName;
use crate::http::client::ClientError;

/// The largest model that is sent: what the daemon takes.
const MODEL_BYTES: usize = 32 << 20;

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Take over CLM's registry of JSON files; without --apply only tells what would become of it
    Clm3(Clm3Args),
    /// Take in the events of the predecessor's Redis stream that are not stored; without --apply only tells
    History(history::HistoryArgs),
}

#[derive(Args)]
struct Clm3Args {
    /// The registry's directory: the one with models, evaluations and training_jobs in it
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Do it
    #[arg(long)]
    apply: bool,
    /// Only tell what would become of it, which is what happens without --apply
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// The versions' own files are in this directory; can be said several times
    #[arg(long, value_name = "DIR")]
    artifacts: Vec<PathBuf>,
    /// Leave the versions' own files where they are instead of taking them in
    #[arg(long)]
    in_place: bool,
}

pub(crate) fn run(args: ImportArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let args = match args.command {
        ImportCommand::Clm3(args) => args,
        ImportCommand::History(args) => return history::run(&args, global),
    };
    let (mut report, taken) = clm3(&args, global)?;
    report.print(global.json)?;
    taken?;
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A registry that a takeover imports.
pub(super) struct Clm3Import {
    /// Where it is.
    pub(super) directory: PathBuf,
    /// Where its versions' own files are.
    pub(super) artifacts: Vec<PathBuf>,
}

/// Imports it: whether every file was taken, and what became of them in a sentence.
pub(super) fn take_over(import: &Clm3Import, global: &Global) -> anyhow::Result<(bool, String)> {
    let args = Clm3Args {
        directory: import.directory.clone(),
        apply: true,
        dry_run: false,
        artifacts: import.artifacts.clone(),
        in_place: false,
    };
    let (report, taken) = clm3(&args, global)?;
    taken?;
    Ok((report.is_whole(), report.end()))
}

/// Does what `args` ask; what it came to is in the report, also where it broke off.
fn clm3(args: &Clm3Args, global: &Global) -> anyhow::Result<(Report, anyhow::Result<()>)> {
    let root = Beneath::of(&args.directory).with_context(|| args.directory.display().to_string())?;
    let inventory = Inventory::of(&root)?;
    let shelves = Shelves::of(&args.artifacts, &args.directory)?;
    let daemon = Daemon::for_a_change(global)?;
    let mut report = Report::new(&args.directory, !args.apply);
    let taken = Clm3 { root, shelves, daemon, args }.take_over(inventory, &mut report);
    if taken.is_err() {
        // What was done before stays done.
        report.breaks_off();
    }
    Ok((report, taken))
}

/// An import under way.
struct Clm3<'a> {
    root: Beneath,
    shelves: Shelves,
    daemon: Daemon,
    args: &'a Clm3Args,
}

impl Clm3<'_> {
    fn take_over(&self, inventory: Inventory, report: &mut Report) -> anyhow::Result<()> {
        report.files(inventory.aside);
        let (jobs, refused) = jobs(inventory.jobs.into_iter().map(|path| self.read(path)));
        report.files(refused);
        // What became of a job's version, by the id of the job.
        let mut made = BTreeMap::new();
        for (directory, paths) in inventory.models {
            self.model(&directory, paths, &jobs, &mut made, report).with_context(|| format!("models/{directory}"))?;
        }
        report.files(jobs.outcomes(&made));
        Ok(())
    }

    fn read(&self, path: String) -> File {
        let content = self.root.read(&path);
        File { path, content }
    }

    fn model(
        &self,
        directory: &str,
        paths: Vec<String>,
        jobs: &Jobs,
        made: &mut BTreeMap<String, Outcome>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let files: Vec<File> = paths.into_iter().map(|path| self.read(path)).collect();
        let Planned { record, refused, mut notes } = model(directory, files, jobs);
        report.files(refused);
        let Some(mut record) = record else { return Ok(()) };
        for version in &mut record.versions {
            let said = version.artifact.as_mut().and_then(|artifact| self.shelves.look_for(artifact));
            notes.entry(version.source.path.clone()).or_default().extend(said);
        }
        let mut answer = match self.send(&record)? {
            Ok(answer) => answer,
            Err(why) => {
                report.model_refused(&record, &why);
                return Ok(());
            }
        };
        for file in &mut answer.files {
            // What an earlier import took was told then.
            if file.outcome == Outcome::Taken
                && let Some(notes) = notes.remove(&file.path)
            {
                file.notes.splice(0..0, notes);
            }
        }
        let outcomes: BTreeMap<&str, Outcome> =
            answer.files.iter().map(|file| (file.path.as_str(), file.outcome)).collect();
        for version in &record.versions {
            if let (Some(job), Some(outcome)) = (&version.job, outcomes.get(version.source.path.as_str())) {
                made.insert(job.id.to_ascii_lowercase(), *outcome);
            }
        }
        let wanted = std::mem::take(&mut answer.wanted);
        report.model(answer);
        for name in wanted {
            self.file_of(&record, &name, report)?;
        }
        Ok(())
    }

    /// What the daemon answers; or what it has against this model, which may be well with others.
    fn send(&self, record: &ModelRecord) -> anyhow::Result<Result<ModelImport, String>> {
        #[derive(Serialize)]
        struct Body<'a> {
            dry_run: bool,
            model: &'a RawValue,
        }
        let model = to_raw_value(record)?;
        let limit = MODEL_BYTES - 100;
        if model.get().len() > limit {
            return Ok(Err(format!("its files together say more than {} MiB", MODEL_BYTES >> 20)));
        }
        let body = Body { dry_run: !self.args.apply, model: &model };
        match self.daemon.post::<ModelImport>("/api/import/clm3", &body) {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => match error.downcast_ref::<ClientError>() {
                Some(ClientError::Refused { status, detail, .. }) if [409, 413, 422].contains(&status.as_u16()) => {
                    Ok(Err(detail.clone()))
                }
                _ => Err(error),
            },
        }
    }

    /// Sends a version's own file, or says where it is.
    fn file_of(&self, record: &ModelRecord, name: &VersionName, report: &mut Report) -> anyhow::Result<()> {
        let version = record.versions.iter().find(|version| version.version == *name);
        let Some((version, artifact)) = version.and_then(|version| Some((version, version.artifact.as_ref()?))) else {
            return Ok(());
        };
        let Some(found) = self.shelves.find(&artifact.path) else {
            report.file_failed(version, "it was there a moment ago");
            return Ok(());
        };
        if !self.args.apply {
            report.file_sent(version, found.size);
            return Ok(());
        }
        let sent = self.send_file(record, version, found);
        match sent {
            Ok(size) => report.file_sent(version, size),
            Err(error) => match error.downcast_ref::<ClientError>() {
                Some(ClientError::Refused { detail, .. }) => report.file_failed(version, detail),
                _ => return Err(error),
            },
        }
        Ok(())
    }

    fn send_file(&self, record: &ModelRecord, version: &VersionRecord, found: shelves::OnShelf) -> anyhow::Result<u64> {
        let name = found.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let sha256 = version.artifact.as_ref().and_then(|artifact| artifact.sha256);
        let to = format!("/api/models/{}/versions/{}/artifacts", record.model_id, version.version);
        if self.args.in_place {
            let directory = found.path.parent();
            let body = json!({ "in_place": directory, "files": [{ "path": name, "sha256": sha256 }] });
            self.daemon.post::<Value>(&to, &body)?;
        } else {
            let query = sha256.map_or_else(String::new, |sha256| format!("?sha256={sha256}"));
            self.daemon.upload_open::<Value>(&format!("{to}/{name}{query}"), found.file)?;
        }
        Ok(found.size)
    }
}
