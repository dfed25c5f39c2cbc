use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::Global;
use crate::observe::notify::Notify;
use crate::observe::{logging, signals};
use crate::worker::{Ended, Mode, OnStop, Worker};

/// Exit codes of `--once` besides 0.
const FAILED: u8 = 1;
const MISCONFIGURED: u8 = 2;
const NOTHING: u8 = 3;

#[derive(Args)]
#[command(after_help = "\
When it is asked to stop (SIGTERM), a worker leaves the programs that run: the next worker of the same directory takes
them over, as long as it begins to beat before their lease is over (jobs.heartbeat of the daemon, four times less a sixth:
50 s). With --drain it waits for them and takes nothing new; asked again, it ends them. With --once it ends them at once.
A program that was ended is reported, and its job is tried again.

Exit codes of --once: 0 the job is completed; 1 it is not; 2 wrong usage or configuration, a token that the daemon refuses
or programs that cannot be run among it; 3 there was no job, 0 with
--or-nothing. A daemon that cannot be reached is waited for.")]
pub(crate) struct WorkerArgs {
    /// Do one job and exit, as a Kubernetes Job does
    #[arg(long)]
    once: bool,
    /// How long --once waits for a job
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=25))]
    wait: u32,
    /// With --once, to find no job is no failure
    #[arg(long, requires = "once")]
    or_nothing: bool,
    /// When asked to stop, finish what is begun
    #[arg(long, conflicts_with = "once")]
    drain: bool,
}

pub(crate) fn run(args: &WorkerArgs, global: &Global) -> anyhow::Result<ExitCode> {
    // A worker reads no journal, so no unit needs to be named.
    let loaded = global.load_without_units()?;
    logging::init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let stopping = signals::listen().context("cannot listen for signals")?;
        let worker = Worker::new(&loaded.config)?;
        let daemon = worker.daemon();
        Notify.ready(&format!("worker {} of {daemon}", worker.name()));
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            "worker {} begins, for the daemon at {daemon}",
            worker.name()
        );
        for notice in &loaded.notices {
            tracing::info!("{notice}");
        }
        let on_stop = match args {
            WorkerArgs { once: true, .. } => OnStop::End,
            WorkerArgs { drain: true, .. } => OnStop::Finish,
            _ => OnStop::Leave,
        };
        let mode = Mode { once: args.once.then_some(args.wait), on_stop };
        let ended = worker.run(mode, stopping).await?;
        Notify.stopping();
        anyhow::Ok(ended)
    })?;
    // A thread that hangs in a system call must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    tracing::info!("stopped");
    Ok(match ended {
        Ended::Stopped | Ended::Done => ExitCode::SUCCESS,
        Ended::Failed => ExitCode::from(FAILED),
        Ended::Nothing if args.or_nothing => ExitCode::SUCCESS,
        Ended::Nothing => ExitCode::from(NOTHING),
        Ended::Misconfigured => ExitCode::from(MISCONFIGURED),
    })
}
