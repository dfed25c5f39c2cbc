use std::process::ExitCode;

use clap::Args;

use super::VersionArgs;
use crate::cli::Global;

#[derive(Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    version: VersionArgs,
}
