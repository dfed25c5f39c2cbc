use std::fmt::Write as _;

use serde::Serialize;

use super::machine::{Found, Unit};
use super::plan::{State, Step};
use crate::cli::output::{self, visible};
use crate::config::{Loaded, Origin};

/// What is printed.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) found: Found,
    /// Files of the predecessor whose values are used, and by which keys.
    pub(super) files: Vec<UsedFile>,
    /// Why nothing can be done.
    pub(super) obstacle: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) applied: bool,
}

/// An environment file of the predecessor.
#[derive(Serialize)]
pub(super) struct UsedFile {
    path: String,
    keys: Vec<String>,
}

/// The environment files that count, by what the configuration took from them.
pub(super) fn files(loaded: &Loaded) -> Vec<UsedFile> {
    let mut files: Vec<UsedFile> = Vec::new();
    for setting in loaded.settings() {
        let Origin::Predecessor { file: Some((path, _)), .. } = &setting.origin else { continue };
        let path = path.display().to_string();
        let key = format!("{} = {}", setting.key, setting.toml());
        match files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.keys.push(key),
            None => files.push(UsedFile { path, keys: vec![key] }),
        }
    }
    files
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ToDo => "to do",
            Self::Done => "done",
            Self::NotNeeded => "not needed",
            Self::Skipped => "NOT DONE",
            Self::Failed => "FAILED",
        }
    }
}

impl Report {
    /// Whether nothing stands in the way, and nothing failed.
    pub(super) fn is_well(&self) -> bool {
        self.obstacle.is_none() && self.steps.iter().all(|step| step.state != State::Failed)
    }

    /// Whether there is nothing left to do.
    fn is_done(&self) -> bool {
        self.obstacle.is_none() && self.steps.iter().all(|step| !matches!(step.state, State::ToDo | State::Failed))
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            let mut value = serde_json::to_value(self)?;
            value["done"] = self.is_done().into();
            return output::json(&value);
        }
        Ok(output::print(self.text().as_bytes())?)
    }

    fn text(&self) -> String {
        let mut text = String::from("On this machine:\n");
        let mut unit = |unit: &Unit| {
            let state = if unit.loaded { format!("{}, {}", unit.active, unit.enabled) } else { "not there".into() };
            let whose = if unit.is_ours() { " (ours)" } else { "" };
            let _ = writeln!(text, "  {:<31} {state:<22} {}{whose}", unit.name, visible(&unit.runs));
        };
        self.found.old.iter().for_each(&mut unit);
        unit(&self.found.shared);
        let answers = if self.found.answers { "answers at its socket" } else { "does not answer" };
        let _ = writeln!(text, "  {:<31} {answers}", "quantum-clm");
        for file in &self.files {
            let _ = writeln!(text, "  {:<31} used for {}", file.path, visible(&file.keys.join(", ")));
        }
        if let Some(why) = &self.obstacle {
            let _ = writeln!(text, "\nNothing can be done: {}", visible(why));
            return text;
        }
        text.push_str(if self.applied { "\nWhat was done:\n" } else { "\nWhat --apply does:\n" });
        for (number, step) in self.steps.iter().enumerate() {
            let _ = writeln!(text, "{:>3}. [{}] {}", number + 1, step.state.word(), visible(&step.title));
            if !step.said.is_empty() {
                let _ = writeln!(text, "       {}", visible(&step.said));
            }
            if !self.applied {
                let _ =
                    writeln!(text, "       changes: {}\n       undo: {}", visible(&step.changes), visible(&step.undo));
            }
        }
        if self.is_done() {
            text.push_str("\nAll is done. The way back: quantum-clm takeover --undo\n");
        } else if self.applied {
            text.push_str("\nNot done to the end. What was done stays done; run it again to go on.\n");
        }
        text
    }
}
