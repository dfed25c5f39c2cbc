use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::{VersionArgs, model_path};
use crate::app::answers::registry::{MovedAnswer, PendingAnswer, VersionDetail};
use crate::cli::ask::Daemon;
use crate::cli::output;
use crate::cli::{Global, complain, intents};
use crate::domain::model::{ModelId, VersionName};

#[derive(Args)]
pub(super) struct PromoteArgs {
    #[command(flatten)]
    version: VersionArgs,
    /// The reason, for those who come after; 20 characters at least with --force
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: String,
    /// Promote it past its gates, which is marked for ever; only an admin may
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(super) struct RollbackArgs {
    /// The model's id
    #[arg(value_name = "MODEL")]
    model: ModelId,
    /// To this version; where nothing is said, to what was in production before
    #[arg(long, value_name = "VERSION")]
    to: Option<VersionName>,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: String,
}

#[derive(Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    version: VersionArgs,
    /// The reason, for those who come after
    #[arg(long, value_name = "WHY", value_parser = intents::reason)]
    why: String,
}

/// A promotion is done, or waits for a second person.
#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    Moved(MovedAnswer),
    Pending(PendingAnswer),
}

pub(super) fn promote(args: &PromoteArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let body = json!({ "why": args.why, "force": args.force });
    let path = format!("{}/promote", args.version.path());
    match Daemon::for_a_change(global)?.post_once(&path, &body)? {
        Outcome::Moved(moved) => told(&moved, global),
        Outcome::Pending(pending) if global.json => {
            output::json(&pending)?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Pending(PendingAnswer { approval }) => {
            let text = format!(
                "{} {} waits for a second person's approval until {}\n",
                approval.model_id,
                approval.version,
                approval.expires_at.rfc3339()
            );
            output::print(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

pub(super) fn roll_back(args: &RollbackArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let target = args.to.as_ref().map_or("before", VersionName::as_str);
    let body = json!({ "target": target, "why": args.why });
    let path = format!("{}/rollback", model_path(&args.model));
    told(&Daemon::for_a_change(global)?.post_once(&path, &body)?, global)
}

fn told(moved: &MovedAnswer, global: &Global) -> anyhow::Result<ExitCode> {
    if global.json {
        output::json(moved)?;
        return Ok(ExitCode::SUCCESS);
    }
    let MovedAnswer { model_id, version, previous, changed, forced, warnings, .. } = moved;
    let past = if *forced { ", past its gates" } else { "" };
    let text = match previous {
        _ if !changed => format!("{model_id}: {version} is in production already, nothing was changed\n"),
        Some(previous) => format!("{model_id}: {version} is in production{past}, {previous} is retired\n"),
        None => format!("{model_id}: {version} is in production{past}\n"),
    };
    output::print(text.as_bytes())?;
    warnings.iter().for_each(|warning| complain(warning));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn delete(args: &DeleteArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let why = serde_urlencoded::to_string([("why", &args.why)])?;
    let path = format!("{}?{why}", args.version.path());
    let version: VersionDetail = Daemon::for_a_change(global)?.delete(&path)?;
    if global.json {
        output::json(&version)?;
    } else {
        let (model, name) = (&version.version.model_id, &version.version.version);
        output::print(format!("{model}: {name} is deleted; its name stays taken\n").as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
