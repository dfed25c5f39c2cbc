use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;

#[derive(Args)]
pub(crate) struct HealthArgs {
    /// Show every component: its state, since when, its last error, how far it lags
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

pub(crate) fn run(_args: HealthArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("health is not built yet")
}
