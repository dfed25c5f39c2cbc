//! `import history`: what the predecessor left in its Redis stream. The daemon reads it, this command only asks.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::app::answers::HistoryAnswer;
use crate::cli::Global;
use crate::cli::ask::Daemon;
use crate::cli::output::{self, visible};

#[derive(Args)]
pub(super) struct HistoryArgs {
    /// Do it
    #[arg(long)]
    apply: bool,
}

pub(super) fn run(args: &HistoryArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::for_a_change(global)?;
    let answer: HistoryAnswer = daemon.post_at_length("/api/import/history", &json!({ "dry_run": !args.apply }))?;
    if global.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(text(&answer).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &HistoryAnswer) -> String {
    let verb = if answer.dry_run { "would be taken in" } else { "are taken in" };
    let mut text = format!(
        "{} of {} entries of {} {verb}, under their own ids.\n",
        answer.taken,
        answer.entries,
        visible(&answer.stream)
    );
    for (word, count) in &answer.left {
        let why = match word.as_str() {
            "stored" => "the same lines were read from the journal",
            "ours" => "written by quantum-clm",
            "old" => "older than what is kept",
            _ => "odd, see below",
        };
        text.push_str(&format!("  left: {count} {} ({why})\n", visible(word)));
    }
    for odd in &answer.odd {
        text.push_str(&format!("  {}: {}\n", visible(&odd.id), visible(&odd.why)));
    }
    if answer.dry_run {
        text.push_str("Nothing was changed; --apply does it.\n");
    }
    text
}
