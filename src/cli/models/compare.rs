use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{Source, number};
use crate::app::answers::registry::{CellAnswer, CompareAnswer, VersionPair};
use crate::cli::Global;
use crate::cli::output::{self, Screen, Style, Table};
use crate::domain::model::FigureOrigin;
use crate::observe::now;

#[derive(Args)]
pub(super) struct CompareArgs {
    /// The versions, each as MODEL/VERSION
    #[arg(value_name = "MODEL/VERSION", num_args = 2..=4, required = true)]
    versions: Vec<VersionPair>,
}

pub(super) fn run(args: &CompareArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let source = Source::of(global)?;
    let compared: CompareAnswer = match &source {
        Source::Daemon(daemon) => {
            let query: Vec<_> = args.versions.iter().map(|pair| ("version", pair.to_string())).collect();
            daemon.get("/api/compare", &query)?
        }
        Source::File(registry, _) => CompareAnswer::find(registry, &args.versions, now())?,
    };
    source.close();
    if global.json {
        output::json(&compared)?;
        return Ok(ExitCode::SUCCESS);
    }
    let same_model = compared.versions.windows(2).all(|pair| pair[0].model_id == pair[1].model_id);
    let headings: Vec<_> = compared
        .versions
        .iter()
        .map(|version| match same_model {
            true => version.version.to_string(),
            false => format!("{}/{}", version.model_id, version.version),
        })
        .collect();
    let headings: Vec<_> = ["", ""].into_iter().chain(headings.iter().map(String::as_str)).collect();
    let mut table = Table::new(&headings);
    let statuses: Vec<_> = compared.versions.iter().map(|version| version.status).collect();
    let cells = statuses.iter().map(|status| (status.as_str(), Style::Plain));
    table.row([("", Style::Plain), ("status", Style::Plain)].into_iter().chain(cells));
    for row in &compared.rows {
        let texts: Vec<_> = row.values.iter().map(cell).collect();
        let style = if row.differs { Style::Strong } else { Style::Faint };
        let head = [(row.kind.as_str(), Style::Faint), (row.name.as_str(), style)];
        table.row(head.into_iter().chain(texts.iter().map(|text| (text.as_str(), style))));
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn cell(cell: &CellAnswer) -> String {
    let mut text = match &cell.value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(value) if value.is_f64() => value.as_f64().map(number).unwrap_or_default(),
        other => other.to_string(),
    };
    if let Some(interval) = cell.interval {
        text.push_str(&format!(" [{:.3}, {:.3}]", interval.from, interval.until));
    }
    if cell.origin == Some(FigureOrigin::Reported) {
        text.push_str(" (reported)");
    }
    text
}
