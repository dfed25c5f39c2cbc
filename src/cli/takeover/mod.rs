//! `takeover`: from the Python units to this daemon, on this machine. Without `--apply` it only tells.

mod apply;
mod files;
mod machine;
mod plan;
mod record;
mod show;
mod undo;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use self::apply::Run;
use self::machine::Machine;
use self::plan::{Wanted, obstacle, plan};
use self::record::Record;
use super::Global;
use super::ask::Daemon;
use crate::app::answers::HistoryAnswer;

#[derive(Args)]
pub(crate) struct TakeoverArgs {
    /// Do it, step by step; a run that broke off goes on where it was
    #[arg(long)]
    apply: bool,
    /// The way back to the Python units instead; with --apply does it
    #[arg(long)]
    undo: bool,
    /// The predecessor's registry of JSON files, to be imported as well
    #[arg(long, value_name = "DIR", conflicts_with = "undo")]
    registry: Option<PathBuf>,
    /// The files of the registry's versions are in this directory; can be said several times
    #[arg(long, value_name = "DIR", requires = "registry")]
    artifacts: Vec<PathBuf>,
    /// How long to wait for the stream to be silent, for the daemon and for the journal, each
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// The machine's files are below this directory
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

pub(crate) fn run(args: TakeoverArgs, global: &Global) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "failpoints")]
    crate::failpoint::from_environment();
    let own_machine = args.root.parent().is_none();
    if args.apply && own_machine && !rustix::process::geteuid().is_root() {
        bail!("a takeover changes this machine's units: run it as root");
    }
    let machine = Machine { root: args.root.clone() };
    let directory = args.root.join(record::DIRECTORY);
    let record = Record::load(&directory)?;
    if args.undo {
        return undo::run(machine, record, directory, args.apply, global);
    }
    let loaded = global.load_without_units()?;
    let daemon = Daemon::for_a_change(global)?;
    // Whoever listens at the socket is ours: the predecessor had none.
    let answers = daemon.get::<HistoryAnswer>("/api/import/history", &()).is_ok();
    let found = machine.look(answers)?;
    let wanted = Wanted {
        registry: args.registry.as_deref(),
        stream: &loaded.config.redis.stream,
        aside: &files::free(&directory.join(machine::SHARED)),
        finished: record.finished,
    };
    let steps = plan(&found, &wanted);
    let mut report = show::Report { found, files: show::files(&loaded), obstacle: None, steps, applied: args.apply };
    report.obstacle = obstacle(&report.found);
    if args.apply && report.obstacle.is_none() {
        let wait = Duration::from_secs(args.wait);
        let config = &loaded.config;
        let mut run = Run { machine, daemon, record, directory, redis: &config.redis, args: &args, wait, global };
        run.begin(&config.data_file)?;
        run.all(&mut report);
    }
    report.print(global.json)?;
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
