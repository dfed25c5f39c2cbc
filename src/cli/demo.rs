use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;

#[derive(Args)]
pub(crate) struct DemoArgs {}

pub(crate) fn run(_args: DemoArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("demo is not built yet")
}
