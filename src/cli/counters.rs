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
    #[arg(long, short, value_name = "KIND")]
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
    let mut query = CounterQuery {
        kind: args.kind,
        name: args.name,
        since: args.since,
        until: args.until,
        limit: Some(CounterQuery::MAX_LIMIT),
        cursor: None,
    };
    let source = Source::of(global)?;
    let mut answer = CounterList { counters: Vec::new(), next: None };
    loop {
        let mut page: CounterList = match &source {
            Source::Daemon(daemon) => daemon.get("/api/counters", &query)?,
            Source::File(store) => CounterList::find(store, &query)?,
        };
        answer.counters.append(&mut page.counters);
        if page.next.is_none() {
            break;
        }
        query.cursor = page.next;
    }
    if let Source::File(store) = source {
        store.close();
    }
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
