use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;

#[derive(Args)]
pub(crate) struct StatusArgs {}

pub(crate) fn run(_args: StatusArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("status is not built yet")
}
