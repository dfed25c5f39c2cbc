//! `models`: what is known of models and their versions, and everything that is done with them.

mod change;
mod compare;
mod evaluate;
mod history;
mod list;
mod register;
mod show;
mod verdict;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::Global;
use super::ask::{self, Daemon};
use crate::app::registry::{Registry, Undeployed};
use crate::config::Config;
use crate::domain::model::{ModelId, VersionName};
use crate::store::Store;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ModelsArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    command: Option<ModelsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// List models and what is in production
    List(list::ListArgs),
    /// Show a model with its versions, or one version with its gates
    Show(show::ShowArgs),
    /// Show two to four versions side by side, differences first
    Compare(compare::CompareArgs),
    /// Register a version and take its files in
    Register(register::RegisterArgs),
    /// Record an evaluation of a version
    Evaluate(evaluate::EvaluateArgs),
    /// Put a version into production
    Promote(change::PromoteArgs),
    /// Put a version back into production
    Rollback(change::RollbackArgs),
    /// List what happened to a model, newest first
    History(history::HistoryArgs),
    /// Delete a version that nothing refers to; its name stays taken
    Delete(change::DeleteArgs),
    /// Read a version's files again; exits with 1 where one is not what it was
    Verify(verify::VerifyArgs),
}

pub(crate) fn run(args: ModelsArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match args.command {
        None => list::run(&args.list, global),
        Some(ModelsCommand::List(args)) => list::run(&args, global),
        Some(ModelsCommand::Show(args)) => show::run(&args, global),
        Some(ModelsCommand::Compare(args)) => compare::run(&args, global),
        Some(ModelsCommand::Register(args)) => register::run(&args, global),
        Some(ModelsCommand::Evaluate(args)) => evaluate::run(&args, global),
        Some(ModelsCommand::Promote(args)) => change::promote(&args, global),
        Some(ModelsCommand::Rollback(args)) => change::roll_back(&args, global),
        Some(ModelsCommand::History(args)) => history::run(&args, global),
        Some(ModelsCommand::Delete(args)) => change::delete(&args, global),
        Some(ModelsCommand::Verify(args)) => verify::run(&args, global),
    }
}

/// A version, by its two names.
#[derive(Args)]
struct VersionArgs {
    /// The model's id
    #[arg(value_name = "MODEL")]
    model: ModelId,
    /// The version's name
    #[arg(value_name = "VERSION")]
    version: VersionName,
}

impl VersionArgs {
    fn path(&self) -> String {
        version_path(&self.model, &self.version)
    }
}

/// Neither name has a character that means something in a path.
fn model_path(model: &ModelId) -> String {
    format!("/api/models/{model}")
}

fn version_path(model: &ModelId, version: &VersionName) -> String {
    format!("{}/versions/{version}", model_path(model))
}

/// A figure, as tables show it; nothing where there is none.
fn figure(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.3}")).unwrap_or_default()
}

/// A score, likewise.
fn score(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.1}")).unwrap_or_default()
}

/// A number with four digits behind the point, or none where it is whole.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}

/// `1 file`, `2 files`.
fn files(count: usize) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

/// Who answers: the daemon, or a data file that no daemon owns.
enum Source {
    Daemon(Daemon),
    File(Registry, Arc<Store>),
}

impl Source {
    fn of(global: &Global) -> anyhow::Result<Self> {
        Ok(match ask::Source::of(global)? {
            ask::Source::Daemon(daemon) => Self::Daemon(daemon),
            ask::Source::File(store) => {
                let store: Arc<Store> = Arc::from(store);
                Self::File(Registry::new(store.clone(), &Config::default(), Box::new(Undeployed)), store)
            }
        })
    }

    /// Closes the file, where it is one.
    fn close(self) {
        if let Self::File(registry, store) = self {
            drop(registry);
            if let Some(store) = Arc::into_inner(store) {
                store.close();
            }
        }
    }
}
