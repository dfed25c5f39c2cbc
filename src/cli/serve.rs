use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Read the built-in feed instead of the journal, and mirror nothing
    #[arg(long)]
    pub(crate) demo: bool,
}

pub(crate) fn run(_args: ServeArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("serve is not built yet")
}
