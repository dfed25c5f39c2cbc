use std::process::ExitCode;

use clap::Args;

use super::Global;
use super::ask::Source;
use super::output::{self, Screen, Style, Table};
use super::time::instant;
use crate::app::answers::{CounterList, CounterQuery};
use crate::domain::counter::CounterKind;
use crate::domain::time::Micros;

#[derive(Args)]
pub(crate) struct CountersArgs {
    /// Only of this kind: unit, symbol or errors
    #[arg(long, short, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Option<CounterKind>,
    /// Only of this unit or symbol
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only hours from this time on: 2026-01-17, "2026-01-17 03:00" (UTC), -2h, today, …
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) since: Option<Micros>,
    /// Only hours before this time
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    pub(crate) until: Option<Micros>,
}

pub(crate) fn run(args: CountersArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let query = CounterQuery {
        kind: args.kind.map(|kind| kind.as_str().to_owned()),
        name: args.name,
        since: args.since.map(|at| at.0),
        until: args.until.map(|at| at.0),
    };
    let answer: CounterList = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/counters", &query)?,
        Source::File(store) => {
            let answer = CounterList::find(&store, &query)?;
            store.close();
            answer
        }
    };
    if global.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["HOUR (UTC)", "KIND", "NAME", "COUNT"]);
    for counter in &answer.counters {
        table.row([
            (counter.hour.as_str(), Style::Plain),
            (counter.kind.as_str(), Style::Plain),
            (counter.name.as_str(), Style::Strong),
            (counter.count.to_string().as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn kind(text: &str) -> Result<CounterKind, String> {
    let kind = CounterKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| "use unit, symbol or errors".to_owned())
}
