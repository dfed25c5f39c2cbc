use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::Global;
use crate::domain::intent::IntentState;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct IntentsArgs {
    /// What to do; `list` where nothing is named
    #[command(subcommand)]
    pub(crate) command: Option<IntentsCommand>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Subcommand)]
pub(crate) enum IntentsCommand {
    /// List intents, newest first
    List(ListArgs),
    /// Show one intent with its history
    Show {
        /// The intent's number
        id: u64,
    },
    /// Say that somebody has it
    Ack(VerdictArgs),
    /// Say that it is over
    Resolve(VerdictArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only in this state: open, acknowledged or resolved
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub(crate) state: Option<IntentState>,
    /// Only about this unit
    #[arg(long, short, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

#[derive(Args)]
pub(crate) struct VerdictArgs {
    /// The intent's number
    pub(crate) id: u64,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub(crate) why: String,
}

pub(crate) fn run(_args: IntentsArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("intents is not built yet")
}

fn state(text: &str) -> Result<IntentState, String> {
    let states = [IntentState::Open, IntentState::Acknowledged, IntentState::Resolved];
    let state = states.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| "use open, acknowledged or resolved".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        text if text.len() > 1000 => Err("use at most 1000 bytes".to_owned()),
        text => Ok(text.to_owned()),
    }
}
