use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::value::RawValue;

use super::{VersionArgs, verdict};
use crate::app::answers::registry::JudgedAnswer;
use crate::cli::Global;
use crate::cli::ask::Daemon;
use crate::cli::output::{self, Screen};

#[derive(Args)]
pub(super) struct EvaluateArgs {
    #[command(flatten)]
    version: VersionArgs,
    /// The evaluation as JSON, as POST /api/models/…/versions/…/evaluations takes it; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(args: &EvaluateArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::for_a_change(global)?;
    // As it stands: the daemon reads it, and says what does not fit where.
    let body: Box<RawValue> =
        serde_json::from_str(&read(&args.file)?).with_context(|| format!("{} is not JSON", args.file.display()))?;
    let judged: JudgedAnswer = daemon.post_once(&format!("{}/evaluations", args.version.path()), &body)?;
    if global.json {
        output::json(&judged)?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen = Screen::stdout();
    let mut text = format!(
        "evaluation {} of {} {}: {}, score {:.1}\n",
        judged.evaluation.map(|number| number.to_string()).unwrap_or_default(),
        judged.model_id,
        judged.version,
        if judged.passed { "passed" } else { "not passed" },
        judged.promotion_score,
    );
    if !judged.failure_reason.is_empty() {
        text.push_str(&format!("{}\n", output::visible(&judged.failure_reason)));
    }
    text.push_str(&match judged.from == judged.status {
        true => format!("the version stays {}\n", judged.status),
        false => format!("the version was {} and is {}\n", judged.from, judged.status),
    });
    text.push_str(&format!("\n{}", verdict::shown(&judged.verdicts, &screen)));
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("standard input")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}
