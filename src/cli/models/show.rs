use std::process::ExitCode;

use clap::Args;

use super::{Source, figure, files, model_path, score, verdict, version_path};
use crate::app::answers::registry::{GatesAnswer, ModelDetailAnswer, VersionAnswer, VersionDetailAnswer, VersionPage};
use crate::app::registry::VersionQuery;
use crate::cli::Global;
use crate::cli::output::{self, Screen, Style, Table};
use crate::domain::model::{ArtifactState, ModelId, ModelStatus, VersionName};
use crate::domain::time::Micros;
use crate::observe::now;

#[derive(Args)]
pub(super) struct ShowArgs {
    /// The model's id
    #[arg(value_name = "MODEL")]
    model: ModelId,
    /// One of its versions
    #[arg(value_name = "VERSION")]
    version: Option<VersionName>,
}

/// Versions that the text shows; `--json` and the API have them all.
const SHOWN: usize = 20;

pub(super) fn run(args: &ShowArgs, global: &Global) -> anyhow::Result<ExitCode> {
    match &args.version {
        None => model(&args.model, global),
        Some(name) => version(&args.model, name, global),
    }
}

fn model(id: &ModelId, global: &Global) -> anyhow::Result<ExitCode> {
    let source = Source::of(global)?;
    let query = VersionQuery { model: Some(id.clone()), limit: Some(SHOWN), ..VersionQuery::default() };
    let (detail, versions): (ModelDetailAnswer, VersionPage) = match &source {
        Source::Daemon(daemon) => (daemon.get(&model_path(id), &())?, daemon.get("/api/versions", &query)?),
        Source::File(registry, _) => {
            (ModelDetailAnswer::find(registry, id, now())?, VersionPage::find(registry, &query)?)
        }
    };
    source.close();
    if global.json {
        output::json(&detail)?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen = Screen::stdout();
    let model = &detail.model;
    let mut text = String::new();
    let production = match &model.production {
        Some(version) => {
            let since = version.since.map(|since| format!(" since {}", since.rfc3339())).unwrap_or_default();
            format!("{}{since}, score {}, Sharpe {}", version.version, score(version.score), figure(version.sharpe))
        }
        None => "none".to_owned(),
    };
    line(&mut text, &screen, "model", model.model_id.as_str());
    line(&mut text, &screen, "production", &production);
    line(&mut text, &screen, "created", &model.created_at.rfc3339());
    line(&mut text, &screen, "revision", &model.revision);
    for approval in &detail.approvals {
        let waits = format!("{} until {}: {}", approval.version, approval.expires_at.rfc3339(), approval.why);
        line(&mut text, &screen, "waits", &format!("{waits} (asked by {})", approval.asked_by));
    }
    text.push('\n');
    let mut table = Table::new(&["VERSION", "STATUS", "REGISTERED (UTC)", "PROMOTED (UTC)", "SCORE", "SHARPE", "TAGS"]);
    for version in &versions.versions {
        let tags: Vec<_> = version.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        table.row([
            (version.version.as_str(), Style::Strong),
            (version.status.as_str(), style(version.status)),
            (version.created_at.rfc3339().as_str(), Style::Plain),
            (version.promoted_at.map(Micros::rfc3339).unwrap_or_default().as_str(), Style::Plain),
            (score(version.score).as_str(), Style::Plain),
            (figure(version.sharpe).as_str(), Style::Plain),
            (tags.join(" ").as_str(), Style::Faint),
        ]);
    }
    text.push_str(&table.render(&screen));
    if versions.next.is_some() {
        text.push_str(&format!("(the newest {SHOWN} of {})\n", model.versions));
    }
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn style(status: ModelStatus) -> Style {
    match status {
        ModelStatus::Production => Style::Good,
        ModelStatus::Failed => Style::Bad,
        ModelStatus::Retired => Style::Faint,
        _ => Style::Plain,
    }
}

fn version(model: &ModelId, name: &VersionName, global: &Global) -> anyhow::Result<ExitCode> {
    let source = Source::of(global)?;
    let path = version_path(model, name);
    let (detail, gates): (VersionDetailAnswer, Option<GatesAnswer>) = match &source {
        Source::Daemon(daemon) => {
            let detail: VersionDetailAnswer = daemon.get(&path, &())?;
            // Of what was deleted there is nothing to judge.
            let judged = detail.version.deleted.is_none() && !global.json;
            let gates = if judged { Some(daemon.get(&format!("{path}/gates"), &())?) } else { None };
            (detail, gates)
        }
        Source::File(registry, _) => (
            // What the gates ask for is the daemon's to know.
            VersionDetailAnswer::find(registry, model, name, now())?,
            None,
        ),
    };
    source.close();
    if global.json {
        output::json(&detail)?;
        return Ok(ExitCode::SUCCESS);
    }
    let screen = Screen::stdout();
    let mut text = String::new();
    let version = &detail.version;
    for (name, value) in facts(version) {
        line(&mut text, &screen, name, &value);
    }
    for file in &detail.files {
        let (size, digest) = (output::bytes(file.size), file.sha256.to_string());
        line(&mut text, &screen, "file", &format!("{} ({size}, sha256 {digest})", file.path));
    }
    for forced in &version.forced {
        let told = format!("by {} at {}: {}", forced.by, forced.at.rfc3339(), forced.why);
        line(&mut text, &screen, "forced", &told);
    }
    if let Some(deleted) = &version.deleted {
        let told = format!("by {} at {}: {}", deleted.by, deleted.at.rfc3339(), deleted.why);
        line(&mut text, &screen, "deleted", &told);
    }
    if let Some(gates) = gates {
        text.push_str(&format!("\n{}", verdict::shown(&gates.verdicts, &screen)));
    }
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn line(text: &mut String, screen: &Screen, name: &str, value: &str) {
    text.push_str(&format!("{name:<12}{}\n", screen.styled(value, Style::Plain)));
}

/// What is known of a version, a line each.
fn facts(version: &VersionAnswer) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("model", version.model_id.to_string()),
        ("version", version.version.to_string()),
        ("status", version.status.to_string()),
        ("registered", version.created_at.rfc3339()),
    ];
    let mut some = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    some("promoted", version.promoted_at.map(Micros::rfc3339));
    some("retired", version.retired_at.map(Micros::rfc3339));
    some("parent", version.parent.as_ref().map(VersionName::to_string));
    some("job", version.job.clone());
    some("imported", version.imported_from.clone());
    some("data", version.data.map(|window| format!("{} to {}", window.from.rfc3339(), window.until.rfc3339())));
    some("features", version.feature_count.map(|count| count.to_string()));
    some("code", version.code_revision.clone());
    let pairs = |pairs: Vec<String>| (!pairs.is_empty()).then(|| pairs.join(", "));
    some("parameters", pairs(version.parameters.iter().map(|(name, value)| format!("{name} {value}")).collect()));
    some("training", pairs(version.train_metrics.iter().map(|(name, value)| format!("{name} {value}")).collect()));
    let validation = version.validation_metrics.iter().map(|(name, value)| format!("{name} {value}"));
    some("validation", pairs(validation.collect()));
    some("tags", pairs(version.tags.iter().map(|(name, value)| format!("{name}={value}")).collect()));
    some("score", version.score.map(|value| format!("{value:.1}")));
    some("Sharpe", version.sharpe.map(|value| format!("{value:.3}")));
    some(
        "artifacts",
        version.artifacts.as_ref().map(|artifacts| {
            let state = match artifacts.state {
                ArtifactState::Sound => "",
                ArtifactState::Empty => ", a file has no content",
                ArtifactState::Gone => ", not there when it was imported",
            };
            let place = artifacts.in_place.as_ref().map(|place| format!(" in {place}")).unwrap_or_default();
            format!("{}, {}{place}{state}", files(artifacts.files), output::bytes(artifacts.size))
        }),
    );
    facts
}
