use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{VersionArgs, model_path};
use crate::app::answers::registry::{DeletedAnswer, PromotedAnswer, RolledBackAnswer, WaitingAnswer};
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
    Done(PromotedAnswer),
    Waiting(WaitingAnswer),
}

pub(super) fn promote(args: &PromoteArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let body = json!({ "why": args.why, "force": args.force });
    let path = format!("{}/promote", args.version.path());
    match Daemon::for_a_change(global)?.post_once(&path, &body)? {
        Outcome::Done(done) => told(&done, global, |done| {
            let past = if done.forced { ", past its gates" } else { "" };
            (in_production(&done.model_id, &done.version, done.previous.as_ref(), past), done.warning.clone())
        }),
        Outcome::Waiting(waiting) => told(&waiting, global, |waiting| {
            let WaitingAnswer { model_id, version, approval, .. } = waiting;
            let until = approval.expires_at.rfc3339();
            (format!("{model_id}: {version} waits for a second person until {until}"), None)
        }),
    }
}

pub(super) fn roll_back(args: &RollbackArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let target = args.to.as_ref().map_or("before", VersionName::as_str);
    let body = json!({ "target": target, "why": args.why });
    let path = format!("{}/rollback", model_path(&args.model));
    let done: RolledBackAnswer = Daemon::for_a_change(global)?.post_once(&path, &body)?;
    told(&done, global, |done| {
        let RolledBackAnswer { model_id, version, previous, changed, warning, .. } = done;
        let line = match changed {
            true => in_production(model_id, version, previous.as_ref(), ""),
            false => format!("{model_id}: {version} is in production already, nothing was changed"),
        };
        (line, warning.clone())
    })
}

fn in_production(model: &ModelId, version: &VersionName, previous: Option<&VersionName>, past: &str) -> String {
    let retired = previous.map(|previous| format!(", {previous} is retired")).unwrap_or_default();
    format!("{model}: {version} is in production{past}{retired}")
}

pub(super) fn delete(args: &DeleteArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let why = serde_urlencoded::to_string([("why", &args.why)])?;
    let path = format!("{}?{why}", args.version.path());
    let done: DeletedAnswer = Daemon::for_a_change(global)?.delete(&path)?;
    told(&done, global, |done| (format!("{}: {} is deleted; its name stays taken", done.model_id, done.version), None))
}

/// The daemon's answer, or a line and what to look at besides.
fn told<T: Serialize>(
    done: &T,
    global: &Global,
    words: impl FnOnce(&T) -> (String, Option<String>),
) -> anyhow::Result<ExitCode> {
    if global.json {
        output::json(done)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (line, warning) = words(done);
    output::print(format!("{line}\n").as_bytes())?;
    if let Some(warning) = warning {
        complain(&warning);
    }
    Ok(ExitCode::SUCCESS)
}
