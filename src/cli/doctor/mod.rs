use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::Global;

#[derive(Args)]
pub(crate) struct DoctorArgs {}

pub(crate) fn run(_args: DoctorArgs, _global: &Global) -> anyhow::Result<ExitCode> {
    bail!("doctor is not built yet")
}
