use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::Global;
use super::output::{json, print, visible};
use crate::domain::job::Program;
use crate::domain::model::ModelType;
use crate::observe::signals;
use crate::worker::{self, Checked, Checks};

#[derive(Args)]
pub(crate) struct AdapterArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the programs of a model type against a sample job, and say what is wrong with their answers
    Check(CheckArgs),
}

#[derive(Args)]
#[command(after_help = "\
The programs run one after the other in a temporary directory, as a worker would run them, with its limits and as this
user: data, train, evaluate. What follows -- is run in the place of the last one. Of each it is told what it answered, or
where its answer breaks the contract (docs/ADAPTERS.md) and why, with the last lines that it wrote. Interrupted, it ends the
program that runs.

Exit codes: 0 all of them keep to the contract, 1 one does not, 2 wrong usage or configuration, or a program is not there.")]
struct CheckArgs {
    /// xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3 or other
    #[arg(value_name = "TYPE")]
    model_type: ModelType,
    /// The last program to run
    #[arg(long, value_enum, default_value_t = Last::Evaluate)]
    program: Last,
    /// Leave the directory there, to look into
    #[arg(long)]
    keep: bool,
    /// The symbol that the sample job is about; without it, a model of several
    #[arg(long)]
    symbol: Option<String>,
    /// Its timeframe
    #[arg(long, default_value = "1h")]
    timeframe: String,
    /// Its days of data
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Its parameters, a JSON object
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// A program with its arguments, instead of the configured one
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Last {
    Data,
    Train,
    Evaluate,
}

pub(crate) fn run(args: AdapterArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let Command::Check(args) = args.command;
    let loaded = global.load_without_units()?;
    let params = args.params.as_deref().map(serde_json::from_str::<Value>).transpose().context("--params")?;
    if params.as_ref().is_some_and(|params| !params.is_object()) {
        bail!("--params is no JSON object: write it as '{{\"max_depth\": 6}}'");
    }
    let checks = Checks {
        model_type: args.model_type,
        last: match args.program {
            Last::Data => Program::Data,
            Last::Train => Program::Train,
            Last::Evaluate => Program::Evaluate,
        },
        command: Some(args.command).filter(|words| !words.is_empty()),
        symbol: args.symbol,
        timeframe: args.timeframe,
        days: args.days,
        params,
    };
    // The check itself blocks; signals need somebody who does not.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let stopping = runtime.block_on(async { signals::listen() }).context("cannot listen for signals")?;
    let directory = worker::directory()?;
    let mut seen = Vec::new();
    let is_interrupted = || stopping.is_asked();
    let outcome = worker::check(&loaded.config, &checks, &directory, is_interrupted, |checked| {
        if !global.json {
            // Whoever reads our output may have seen enough: the exit code counts.
            let _ = print(told(checked).as_bytes());
        }
        seen.push(checked.clone());
    });
    if args.keep {
        super::complain(&format!("what the programs left is in {}", directory.display()));
    } else {
        worker::remove(&directory)?;
    }
    let ok = outcome?;
    if global.json {
        json(&serde_json::json!({ "ok": ok, "programs": seen }))?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(checked: &Checked) -> String {
    let (program, seconds) = (checked.program.as_str(), checked.seconds);
    let memory = checked.resources.memory_peak.map_or_else(String::new, |bytes| format!(", {} MiB", bytes >> 20));
    let mut text = match &checked.why {
        None => format!("{program}: keeps to the contract ({seconds:.1} s{memory})\n"),
        Some(why) => format!("{program}: {} ({seconds:.1} s{memory})\n", visible(why)),
    };
    for line in &checked.answer {
        text.push_str(&format!("  {}\n", visible(line)));
    }
    for note in &checked.notes {
        text.push_str(&format!("  note: {}\n", visible(note)));
    }
    if !checked.lines.is_empty() {
        text.push_str("  the end of what it wrote:\n");
    }
    for line in &checked.lines {
        text.push_str(&format!("  | {}\n", visible(line)));
    }
    text
}
