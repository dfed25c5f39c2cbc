//! What a worker starts for each program, not people: the supervisor and the trampoline of [`crate::runner`].

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The run's directory
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
}

/// Supervises a run until nobody of it is left.
pub(crate) fn supervise(args: &RunArgs) -> anyhow::Result<ExitCode> {
    crate::runner::supervise(&args.directory).with_context(|| format!("the run in {}", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Becomes the program, or says why not.
pub(crate) fn execute(args: &RunArgs) -> ExitCode {
    u8::try_from(crate::runner::execute(&args.directory)).map_or(ExitCode::FAILURE, ExitCode::from)
}
