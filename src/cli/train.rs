use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::ask::Daemon;
use super::{Global, intents, jobs};
use crate::app::answers::jobs::JobAnswer;
use crate::app::jobs::Asked;
use crate::domain::job::Priority;
use crate::domain::model::{ModelId, ModelType, VersionName};

#[derive(Args)]
#[command(after_help = "\
A worker trains it (quantum-clm worker): quantum-clm jobs says what the job waits for. While a training of the same model \
is not over, another one is refused.

Exit codes: 0 the job is in the queue; with --wait, 0 it is completed, 1 it failed or was cancelled; 2 nothing was asked \
for.")]
pub(crate) struct TrainArgs {
    /// xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3 or other
    #[arg(value_name = "MODEL_TYPE", required_unless_present = "model")]
    model_type: Option<ModelType>,
    /// A model by its id, instead of its type, symbol, timeframe and regime
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["model_type", "symbol", "timeframe", "regime"])]
    model: Option<ModelId>,
    /// The symbol, such as BTCUSDT; without it, a model of several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// The timeframe; 1h where nothing is said
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<String>,
    /// The market's regime that the model is for
    #[arg(long, value_name = "REGIME")]
    regime: Option<String>,
    /// Days of data
    #[arg(long, value_name = "DAYS", default_value_t = Asked::SPAN_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// A file with the program's parameters, a JSON object
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// A file that says which features, in the program's terms, a JSON object
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// The version that it goes on from
    #[arg(long, value_name = "VERSION")]
    parent: Option<VersionName>,
    /// What goes first: low, normal or high
    #[arg(long, value_name = "PRIORITY", default_value = "normal")]
    priority: Priority,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: Option<String>,
    /// Wait until the job is over
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(args: &TrainArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let body = json!({
        "model_id": args.model,
        "model_type": args.model_type,
        "symbol": args.symbol,
        "timeframe": args.timeframe,
        "regime": args.regime,
        "dataset_span_days": args.days,
        "training_params": args.parameters.as_deref().map(object).transpose()?,
        "feature_config": args.features.as_deref().map(object).transpose()?,
        "parent_version": args.parent,
        "priority": args.priority,
        "why": args.why.as_deref().unwrap_or_default(),
    });
    let daemon = Daemon::for_a_change(global)?;
    let job: JobAnswer = daemon.post_once("/api/jobs", &body)?;
    jobs::asked_for(&daemon, &job, args.wait, global)
}

/// The largest file of parameters: beyond what the daemon takes, so that the daemon says what is too much.
const OBJECT_BYTES: u64 = 1 << 20;

fn object(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let size = fs::metadata(file).with_context(|| format!("{}", file.display()))?.len();
    ensure!(size <= OBJECT_BYTES, "{} has more than 1 MiB", file.display());
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", file.display()))
}
