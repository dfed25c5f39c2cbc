use std::process::ExitCode;

use clap::Args;

use super::{Source, figure, score};
use crate::app::answers::MAX_LIMIT;
use crate::app::answers::registry::ModelPage;
use crate::app::registry::ModelQuery;
use crate::cli::Global;
use crate::cli::output::{self, Screen, Style, Table};
use crate::domain::model::{ModelStatus, ModelType};
use crate::domain::time::Micros;

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only models of this type: xgboost, lightgbm, nhits, patchtst, tft, dlinear, rl_v2, rl_v3, other
    #[arg(long = "type", value_name = "TYPE")]
    model_type: Option<ModelType>,
    /// Only models that have a version of this status: training, shadow, candidate, production, retired, failed
    #[arg(long, value_name = "STATUS")]
    status: Option<ModelStatus>,
    /// Only models of this symbol; `multi` for those of several
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(super) fn run(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = ModelQuery {
        model_type: args.model_type,
        status: args.status,
        symbol: args.symbol.clone(),
        ..ModelQuery::default()
    };
    let source = Source::of(global)?;
    let mut whole = ModelPage { models: Vec::new(), next: None };
    loop {
        query.limit = Some((limit - whole.models.len()).min(MAX_LIMIT));
        let mut page: ModelPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/models", &query)?,
            Source::File(registry, _) => ModelPage::find(registry, &query)?,
        };
        whole.models.append(&mut page.models);
        whole.next = page.next;
        if whole.next.is_none() || whole.models.len() >= limit {
            break;
        }
        query.cursor.clone_from(&whole.next);
    }
    source.close();
    if global.json {
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["MODEL", "IN PRODUCTION", "SINCE (UTC)", "SCORE", "SHARPE", "VERSIONS", "OF THEM"]).wrapping(6);
    for model in &whole.models {
        let production = model.production.as_ref();
        let counts = model.status_counts.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<_> = counts.map(|(status, count)| format!("{count} {status}")).collect();
        table.row([
            (model.model_id.as_str(), Style::Strong),
            production.map_or(("none", Style::Warning), |version| (version.version.as_str(), Style::Good)),
            (
                production.and_then(|version| version.since).map(Micros::rfc3339).unwrap_or_default().as_str(),
                Style::Plain,
            ),
            (score(production.and_then(|version| version.score)).as_str(), Style::Plain),
            (figure(production.and_then(|version| version.sharpe)).as_str(), Style::Plain),
            (model.versions.to_string().as_str(), Style::Plain),
            (counts.join(", ").as_str(), Style::Faint),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
