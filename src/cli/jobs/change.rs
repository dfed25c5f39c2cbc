use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{JobArgs, asked_for, path};
use crate::app::answers::jobs::JobAnswer;
use crate::cli::ask::Daemon;
use crate::cli::{Global, intents, output};
use crate::domain::job::JobState;

#[derive(Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    job: JobArgs,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: String,
}

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 the new job is in the queue; with --wait, 0 it is completed, 1 it failed or was cancelled; 2 nothing was asked \
for.")]
pub(super) struct RetryArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Wait until the new job is over
    #[arg(long)]
    wait: bool,
}

pub(super) fn cancel(args: &CancelArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let id = args.job.job;
    // Asked again it changes nothing, so it needs no key.
    let job: JobAnswer =
        Daemon::for_a_change(global)?.post(&format!("{}/cancel", path(id)), &json!({ "why": args.why }))?;
    if global.json {
        output::json(&job)?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = match (job.state, &job.worker) {
        (JobState::Cancelled, _) => format!("{id} is cancelled\n"),
        (_, Some(worker)) => {
            format!("{id} is being called off: {worker} ends its processes, and it is cancelled when none is left\n")
        }
        (state, None) => format!("{id} is {state}, and is being called off\n"),
    };
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn retry(args: &RetryArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::for_a_change(global)?;
    let job: JobAnswer = daemon.post_once(&format!("{}/retry", path(args.job.job)), &json!({}))?;
    asked_for(&daemon, &job, args.wait, global)
}
