use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::registry::ModelImport;
use crate::cli::output::{self, Screen, Style, visible};
use crate::domain::clm3::{Counts, FileReport, ModelRecord, Outcome, VersionRecord};
use crate::domain::model::{ModelId, VersionName};

/// What came of an import, or would.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    directory: PathBuf,
    dry_run: bool,
    /// It broke off: what follows on the last model here was not looked at.
    broke_off: bool,
    models: Vec<ModelRow>,
    files: Vec<FileReport>,
    /// Files by what became of them.
    counts: Counts,
    /// The versions' own files.
    artifacts: Artifacts,
}

/// A model in the report.
#[derive(Debug, Serialize)]
struct ModelRow {
    model_id: ModelId,
    production: Option<VersionName>,
    notes: Vec<String>,
    counts: Counts,
}

/// The versions' own files in the report.
#[derive(Debug, Default, Serialize)]
struct Artifacts {
    sent: u64,
    bytes: u64,
    failed: u64,
}

impl Report {
    pub(super) fn new(directory: &Path, dry_run: bool) -> Self {
        Self {
            directory: directory.to_owned(),
            dry_run,
            broke_off: false,
            models: Vec::new(),
            files: Vec::new(),
            counts: Counts::default(),
            artifacts: Artifacts::default(),
        }
    }

    pub(super) fn files(&mut self, files: Vec<FileReport>) {
        for file in &files {
            self.counts.add(file.outcome);
        }
        self.files.extend(files);
    }

    pub(super) fn model(&mut self, answer: ModelImport) {
        let ModelImport { model_id, production, files, notes, .. } = answer;
        let mut counts = Counts::default();
        for file in &files {
            counts.add(file.outcome);
        }
        self.models.push(ModelRow { model_id, production, notes, counts });
        self.files(files);
    }

    /// Nothing of a model was taken.
    pub(super) fn model_refused(&mut self, record: &ModelRecord, why: &str) {
        let versions = record.versions.iter().map(|version| &version.source.path);
        let paths = versions.chain(record.evaluations.iter().map(|evaluation| &evaluation.source.path));
        let refused = paths.map(|path| FileReport::not_taken(path, why)).collect();
        self.files(refused);
    }

    pub(super) fn file_sent(&mut self, _: &VersionRecord, size: u64) {
        self.artifacts.sent += 1;
        self.artifacts.bytes += size;
    }

    /// The version was taken, and its own file was not.
    pub(super) fn file_failed(&mut self, version: &VersionRecord, why: &str) {
        self.artifacts.failed += 1;
        if let Some(file) = self.files.iter_mut().rev().find(|file| file.path == version.source.path) {
            let own = version.artifact.as_ref().map_or("", |artifact| artifact.path.as_str());
            file.notes.push(format!("its file {own} could not be taken: {why}; import again to try again"));
        }
    }

    pub(super) fn breaks_off(&mut self) {
        self.broke_off = true;
    }

    /// Whether everything could be taken.
    pub(super) fn is_whole(&self) -> bool {
        self.counts.not_taken == 0 && self.artifacts.failed == 0
    }

    pub(super) fn print(&mut self, json: bool) -> anyhow::Result<()> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        if json {
            return output::json(self);
        }
        output::print(self.text(&Screen::stdout()).as_bytes())?;
        Ok(())
    }

    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        for model in &self.models {
            let production =
                model.production.as_ref().map_or_else(String::new, |name| format!("; in production: {name}"));
            let id = screen.styled(model.model_id.as_str(), Style::Strong);
            text.push_str(&format!("{id}: files: {}{production}\n", told(&model.counts)));
            for note in &model.notes {
                text.push_str(&format!("  {}\n", visible(note)));
            }
        }
        for (outcome, heading) in [
            (Outcome::Taken, "taken, but:"),
            (Outcome::Already, "here already, but:"),
            (Outcome::Aside, "left aside:"),
            (Outcome::NotTaken, "not taken:"),
        ] {
            let of_it = self.files.iter().filter(|file| file.outcome == outcome && !file.notes.is_empty());
            for (index, file) in of_it.enumerate() {
                if index == 0 {
                    text.push_str(&format!("{}\n", screen.styled(heading, Style::Strong)));
                }
                for note in &file.notes {
                    text.push_str(&format!("  {}: {}\n", visible(&file.path), visible(note)));
                }
            }
        }
        text.push_str(&self.end());
        text
    }

    pub(super) fn end(&self) -> String {
        let Artifacts { sent, bytes, failed } = self.artifacts;
        let mut end = format!("{} models; files: {}", self.models.len(), told(&self.counts));
        if sent + failed > 0 {
            end.push_str(&format!("; versions' own files: {sent} ({})", output::bytes(bytes)));
        }
        if failed > 0 {
            end.push_str(&format!(", {failed} not taken"));
        }
        end.push('\n');
        if self.broke_off {
            end.push_str("It broke off. What was taken is here; import again to go on.\n");
        } else if self.dry_run {
            end.push_str("This was a dry run: nothing has changed. Say --apply to do it.\n");
        }
        end
    }
}

fn told(counts: &Counts) -> String {
    let Counts { taken, already, aside, not_taken } = counts;
    let mut told = format!("{taken} taken");
    for (count, what) in [(already, "here already"), (aside, "left aside"), (not_taken, "not taken")] {
        if *count > 0 {
            told.push_str(&format!(", {count} {what}"));
        }
    }
    told
}
