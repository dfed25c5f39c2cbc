use std::process::ExitCode;

use clap::Args;

use super::{Source, model_path};
use crate::app::answers::MAX_LIMIT;
use crate::app::answers::registry::{HistoryPage, RegistryStep, StepName};
use crate::app::registry::{HistoryQuery, RegistryError};
use crate::cli::Global;
use crate::cli::output::{self, Screen, Style, Table};
use crate::domain::model::ModelId;

#[derive(Args)]
pub(super) struct HistoryArgs {
    /// The model's id
    #[arg(value_name = "MODEL")]
    model: ModelId,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(super) fn run(args: &HistoryArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let source = Source::of(global)?;
    let mut query = HistoryQuery::default();
    let mut whole = HistoryPage { history: Vec::new(), next: None };
    loop {
        query.limit = Some((limit - whole.history.len()).min(MAX_LIMIT));
        let mut page: HistoryPage = match &source {
            Source::Daemon(daemon) => daemon.get(&format!("{}/history", model_path(&args.model)), &query)?,
            Source::File(registry, _) => HistoryPage::find(registry, &args.model, &query)?
                .ok_or_else(|| RegistryError::NoModel(args.model.clone()))?,
        };
        whole.history.append(&mut page.history);
        whole.next = page.next;
        if whole.next.is_none() || whole.history.len() >= limit {
            break;
        }
        query.cursor.clone_from(&whole.next);
    }
    source.close();
    if global.json {
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["NO", "AT (UTC)", "VERSION", "WHAT", "IN PRODUCTION", "BY", "WHY"]);
    for step in &whole.history {
        table.row([
            (step.number.to_string().as_str(), Style::Strong),
            (step.at.rfc3339().as_str(), Style::Plain),
            (step.version.as_str(), Style::Plain),
            (what(step).as_str(), style(step)),
            (step.production.as_ref().map_or("none", |version| version.as_str()), Style::Plain),
            (by(step).as_str(), Style::Plain),
            (step.why.as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn what(step: &RegistryStep) -> String {
    let name = step.step.as_str().replace('_', " ");
    match (step.step, step.from, step.to) {
        (StepName::Moved, Some(from), Some(to)) => format!("{from} to {to}"),
        _ if step.forced => format!("{name}, forced"),
        _ => name,
    }
}

fn style(step: &RegistryStep) -> Style {
    match step.step {
        _ if step.forced => Style::Warning,
        StepName::Promoted => Style::Good,
        StepName::RolledBack => Style::Warning,
        _ => Style::Plain,
    }
}

fn by(step: &RegistryStep) -> String {
    match &step.approved_by {
        Some(second) => format!("{}, approved by {second}", step.by),
        None => step.by.clone(),
    }
}
