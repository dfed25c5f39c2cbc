use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;

use super::{remark, step, style};
use crate::app::answers::MAX_LIMIT;
use crate::app::answers::jobs::{JobPage, JobQuery, StateFilter};
use crate::cli::Global;
use crate::cli::ask::Source;
use crate::cli::output::{self, Screen, Style, Table};
use crate::domain::job::Trigger;
use crate::domain::model::{ModelId, ModelType};

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only in this state: pending, leased, running, lost, completed, failed, cancelled; or held, open, over
    #[arg(long, value_name = "STATE")]
    state: Option<StateFilter>,
    /// Only of this model
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelId>,
    /// Only of models of this type
    #[arg(long = "type", value_name = "TYPE")]
    model_type: Option<ModelType>,
    /// Only asked for upon this: manual, periodic, drift_detected, …
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<Trigger>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub(super) fn run(args: &ListArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut query = JobQuery {
        state: args.state,
        model: args.model.clone(),
        model_type: args.model_type,
        trigger: args.trigger,
        ..JobQuery::default()
    };
    let source = Source::of(global)?;
    let mut whole = JobPage { jobs: Vec::new(), next: None };
    loop {
        query.limit = Some((limit - whole.jobs.len()).min(MAX_LIMIT));
        let mut page: JobPage = match &source {
            Source::Daemon(daemon) => daemon.get("/api/jobs", &query)?,
            // What is waited for, only the daemon knows.
            Source::File(store) => JobPage::read(store, &query, BTreeMap::new())?,
        };
        whole.jobs.append(&mut page.jobs);
        whole.next = page.next;
        if whole.next.is_none() || whole.jobs.len() >= limit {
            break;
        }
        query.cursor.clone_from(&whole.next);
    }
    if let Source::File(store) = source {
        store.close();
    }
    if global.json {
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&["JOB", "STATE", "MODEL", "STEP", "ASKED FOR (UTC)", "UPON", "BY", "REMARK"]).wrapping(7);
    for job in &whole.jobs {
        table.row([
            (job.job_id.to_string().as_str(), Style::Strong),
            (job.state.as_str(), style(job.state)),
            (job.model_id.as_str(), Style::Plain),
            (step(job).as_str(), Style::Plain),
            (job.created_at.rfc3339().as_str(), Style::Plain),
            (job.trigger_reason.as_str(), Style::Plain),
            (job.triggered_by.as_str(), Style::Plain),
            (remark(job).as_str(), Style::Plain),
        ]);
    }
    output::print(table.render(&Screen::stdout()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
