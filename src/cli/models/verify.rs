use std::process::ExitCode;

use clap::Args;

use super::VersionArgs;
use crate::app::files::CheckAnswer;
use crate::cli::Global;
use crate::cli::ask::Daemon;
use crate::cli::output;

#[derive(Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    version: VersionArgs,
}

pub(super) fn run(args: &VerifyArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let path = format!("{}/verify", args.version.path());
    let checked: CheckAnswer = Daemon::for_a_change(global)?.post_at_length(&path, &serde_json::json!({}))?;
    if global.json {
        output::json(&checked)?;
    } else {
        output::print(format!("{}\n", output::visible(&checked.told())).as_bytes())?;
    }
    Ok(if checked.sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
